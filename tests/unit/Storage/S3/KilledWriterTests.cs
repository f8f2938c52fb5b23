using System.Diagnostics;
using System.Runtime.InteropServices;
using PgBackup.PowerShell.Backups;
using PgBackup.Storage;
using PgBackup.TestServers.Proxy;
using PgBackup.Tests.Kit;
using S3Operation = PgBackup.TestServers.Proxy.S3Operation;

namespace PgBackup.Tests.Storage.S3;

/// <summary>A client that is killed in the middle of an upload.</summary>
public sealed class KilledWriterTests
{
    [Fact]
    public async Task OfAWriterThatIsKilledNothingIsListedAndWhatItLeftIsFoundAndRemoved()
    {
        await using FaultyStore faulty = await FaultyStore.OpenAsync();
        using (Process writer = StartWriter(faulty))
        {
            var clock = Stopwatch.StartNew();
            while (faulty.Proxy.Requests.Count(r => r is { Operation: S3Operation.UploadPart, Status: 200 }) < 3)
            {
                Assert.False(writer.HasExited || clock.Elapsed > TimeSpan.FromSeconds(60), "The writer did not come so far.");
                await Task.Delay(5);
            }
            writer.Kill();
            await writer.WaitForExitAsync();
        }
        Assert.Empty(await faulty.Direct.KeysAsync());
        Assert.Null(await faulty.Direct.StatAsync("folder/killed"));
        Assert.Equal(["folder/killed"], await faulty.Direct.UnfinishedAsync());
        Assert.Equal(0, await faulty.Direct.RemoveUnfinishedAsync("elsewhere/"));
        Assert.Equal(1, await faulty.Direct.RemoveUnfinishedAsync("folder/"));
        Assert.Empty(await faulty.Direct.UnfinishedAsync());
        // Another may have the name.
        await faulty.Direct.PutAsync("folder/killed", "x"u8.ToArray(), PutCondition.IfAbsent);
    }

    private static Process StartWriter(FaultyStore faulty)
    {
        ProcessStartInfo start = ShellProcess.Host.StartInfo(
            "-Command",
            $$"""
            Import-Module '{{typeof(BackupPgClusterCommand).Assembly.Location}}'
            $settings = [PgBackup.Storage.S3.S3Settings] @{
                Bucket = '{{faulty.Settings.Bucket}}'; Prefix = '{{faulty.Settings.Prefix}}'; EndpointUrl = '{{faulty.Settings.EndpointUrl}}'; Region = 'us-east-1'; PartSize = 5MB
                Credential = [PgBackup.Storage.S3.S3Credential]::new('test', [PgBackup.SecretText]::new('testsecret'), $null)
            }
            $store = [PgBackup.Storage.ObjectStores]::Open($settings)
            $writer = $store.CreateAsync('folder/killed', 'None', [Threading.CancellationToken]::None).GetAwaiter().GetResult()
            $bytes = [byte[]]::new(1MB)
            while ($true) { $writer.WriteAsync($bytes, [Threading.CancellationToken]::None).AsTask().GetAwaiter().GetResult() }
            """);
        start.Environment["LD_LIBRARY_PATH"] = Path.Combine(AppContext.BaseDirectory, "runtimes", RuntimeInformation.RuntimeIdentifier, "native");
        return Process.Start(start)!;
    }
}
