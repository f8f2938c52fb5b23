using System.Net;
using PgBackup.Configuration;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Storage.S3;
using PgBackup.TestServers;
using PgBackup.TestServers.Proxy;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Kit.Stores;
using S3Operation = PgBackup.TestServers.Proxy.S3Operation;

namespace PgBackup.Tests.Wal.Native;

/// <summary>Faults of the store: a push that ends with 0 has its object there, and after the fault everything goes on.</summary>
public sealed class StoreFaultTests : IAsyncLifetime
{
    private readonly NativeLab _lab = new();
    private FaultProxy _proxy = null!;
    private BackupRepository _direct = null!;

    public async Task InitializeAsync()
    {
        StoreServer server = await TestStores.CephAsync();
        S3Settings settings = await server.NewBucketAsync("repository");
        _proxy = FaultProxy.Start(server.Endpoint);
        _direct = BackupRepository.Open(_lab.Settings with { Storage = settings });
        foreach ((string name, string value) in (IEnumerable<(string, string)>)
        [
            ("PGBACKUP_REPOSITORY", $"s3://{settings.Bucket}/repository"), ("AWS_ENDPOINT", _proxy.Endpoint.AbsoluteUri.TrimEnd('/')), ("AWS_REGION", "us-east-1"), ("AWS_S3_FORCE_PATH_STYLE", "true"),
            ("AWS_ACCESS_KEY_ID", server.AccessKey), ("AWS_SECRET_ACCESS_KEY", server.SecretKey), ("WALG_S3_MAX_RETRIES", "2"),
        ])
            _lab.Environment[name] = value;
    }

    public async Task DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _lab.Dispose();
    }

    public static TheoryData<string> Faults => ["500", "full", "quota", "cut", "lost"];

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task APushThatFailsIsToldAndALaterOneSucceeds(string what)
    {
        string[] names = _lab.Ready(Enumerable.Range(3, 6));
        Fault fault = what switch
        {
            "500" => Fault.InternalError,
            "full" => new Fault.Answer(HttpStatusCode.InsufficientStorage, "InsufficientStorage"),
            "quota" => new Fault.Answer(HttpStatusCode.Forbidden, "QuotaExceeded"),
            "cut" => new Fault.ResetRequest(100_000),
            _ => new Fault.LoseAnswer(),
        };
        _proxy.Add(request => request.Operation == S3Operation.PutObject && request.Path.Contains("wal_005", StringComparison.Ordinal), fault);
        ToolResult failed = await _lab.PushAsync(names[0]);
        // An answer that is lost leaves its object there: that is then found, and is what it should be.
        if (failed.ExitCode == 0)
            await HoldsAsync(names[0]);
        else
            Assert.Single(failed.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        if (what != "lost")
            Assert.NotEqual(0, failed.ExitCode);
        foreach (string name in _lab.Remembered())
            await HoldsAsync(name);

        _proxy.Clear();
        foreach (string name in names)
        {
            Assert.Equal(0, (await _lab.PushAsync(name)).ExitCode);
            await HoldsAsync(name);
        }
    }

    [Fact]
    public async Task AStoreThatRefusesFailsEveryCommandAsItShould()
    {
        string[] names = _lab.Ready(3, 4);
        Assert.Equal(0, (await _lab.PushAsync(names[0])).ExitCode);
        await _proxy.RefuseAsync();
        // Neither what was stored ahead nor anything else is answered for unseen.
        ToolResult[] results = await Task.WhenAll(_lab.PushAsync(names[0]), _lab.PushAsync(names[1]), FetchAsync(names[0]));
        Assert.NotEqual(0, results[0].ExitCode);
        Assert.NotEqual(0, results[1].ExitCode);
        Assert.Equal(126, results[2].ExitCode);
        File.WriteAllText(Path.Combine(_lab.DataFolder, "standby.signal"), "");
        Assert.Equal(1, (await FetchAsync(names[0])).ExitCode);
        _proxy.Accept();
        Assert.Equal(0, (await _lab.PushAsync(names[1])).ExitCode);
        Assert.Equal(0, (await FetchAsync(names[0])).ExitCode);
        Assert.Equal(File.ReadAllBytes(_lab.PathOf(names[0])), File.ReadAllBytes(_lab.PathOf("RECOVERYXLOG")));
        Assert.Equal(1, (await FetchAsync(NativeLab.Name(9))).ExitCode);
    }

    [Fact]
    public async Task ASlowStoreIsWaitedFor()
    {
        string[] names = _lab.Ready(3, 4, 5);
        _proxy.Add(static _ => true, new Fault.Delay(TimeSpan.FromMilliseconds(120)));
        Assert.Equal(0, (await _lab.PushAsync(names[0])).ExitCode);
        foreach (string name in names)
            await HoldsAsync(name);
        _proxy.Clear();
        int asked = _proxy.Requests.Count;
        Assert.Equal(0, (await _lab.PushAsync(names[1])).ExitCode);
        Assert.Equal(1, _proxy.Requests.Count - asked); // One look at the object.
    }

    [Fact]
    public async Task AFaultIsNotTheEndOfTheArchive()
    {
        string name = _lab.Ready(3)[0], missing = NativeLab.Name(9);
        Assert.Equal(0, (await _lab.PushAsync(name)).ExitCode);
        _proxy.Add(static request => request.Operation is S3Operation.GetObject or S3Operation.ListObjects, Fault.InternalError);
        ToolResult[] results = await Task.WhenAll(FetchAsync(name), _lab.RunAsync("fetch", missing, "pg_wal/other"));
        Assert.Equal([126, 126], results.Select(static result => result.ExitCode));
        Assert.Equal([_lab.PathOf(name)], Directory.GetFiles(_lab.WalFolder));
        _proxy.Clear();

        // An answer that ends too early is asked for again from there, and never taken for the whole.
        _proxy.Add(S3Operation.GetObject, new Fault.TruncateAnswer(50_000));
        if ((await FetchAsync(name)).ExitCode == 0)
            Assert.Equal(File.ReadAllBytes(_lab.PathOf(name)), File.ReadAllBytes(_lab.PathOf("RECOVERYXLOG")));
        _proxy.Clear();
        Assert.Equal(0, (await FetchAsync(name)).ExitCode);
        Assert.Equal(1, (await FetchAsync(missing)).ExitCode);
    }

    private Task<ToolResult> FetchAsync(string name) => _lab.RunAsync("fetch", name, "pg_wal/RECOVERYXLOG");

    private async Task HoldsAsync(string name)
    {
        string target = _lab.Folder.Combine("held");
        await PgBackup.Wal.Fetch.WalFetch.FetchAsync(_direct, name, target);
        Assert.Equal(File.ReadAllBytes(_lab.PathOf(name)), File.ReadAllBytes(target));
    }
}
