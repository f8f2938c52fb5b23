using System.Diagnostics;
using System.Globalization;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Wal.Native;

/// <summary>The native fetch as a process: how it ends, and the process that it leaves behind to fetch ahead.</summary>
public sealed class FetchTests : IDisposable
{
    private readonly NativeLab _lab = new();

    public void Dispose() => _lab.Dispose();

    [Fact]
    public async Task OnlyWhatIsNotThereEndsWithOne()
    {
        string name = _lab.Ready(3)[0];
        await _lab.PushAsync(name);
        Is(0, await FetchAsync(name));
        Assert.Equal(File.ReadAllBytes(_lab.PathOf(name)), File.ReadAllBytes(_lab.PathOf("RECOVERYXLOG")));
        Is(1, await FetchAsync(NativeLab.Name(9)));
        Is(1, await FetchAsync("00000002.history"));
        Is(126, await FetchAsync("nonsense"));
        Is(126, await _lab.RunAsync("fetch", name, "no/folder/here"));
        Is(126, await _lab.RunAsync("fetch", name, ""));
        string stored = WalSamples.ObjectPath(_lab.Repository, name + ".zst");
        File.WriteAllBytes(stored, File.ReadAllBytes(stored)[..^1000]);
        File.Delete(_lab.PathOf("RECOVERYXLOG"));
        ToolResult damaged = await FetchAsync(name);
        Assert.Equal(126, damaged.ExitCode);
        Assert.All(damaged.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries), static line => Assert.StartsWith("pgbackup-wal: ", line, StringComparison.Ordinal));
        Assert.Equal([_lab.PathOf(name)], Directory.GetFiles(_lab.WalFolder));
        File.WriteAllText(Path.Combine(_lab.DataFolder, "standby.signal"), "");
        Assert.Equal(126, (await FetchAsync(name)).ExitCode);
    }

    [Theory]
    [InlineData("--repositry", "/r", "fetch", "000000010000000000000003", "out")]
    [InlineData("fetch", "000000010000000000000003")]
    [InlineData("fetch", "000000010000000000000003", "out", "--config")]
    [InlineData("fetch", "000000010000000000000003", "out", "--config", "/no/such/file")]
    [InlineData("ftech", "000000010000000000000003", "out")]
    [InlineData("--repository", "/r", "000000010000000000000003", "out")]
    [InlineData]
    public async Task AMistakeInTheCommandIsNotTheEndOfTheArchive(params string[] arguments) => Is(126, await _lab.RunAsync(arguments));

    [Fact]
    public async Task AStoreThatIsAwayStopsARecoveryAndNotAStandby()
    {
        _lab.Environment["PGBACKUP_REPOSITORY"] = _lab.Folder.Combine("gone");
        using var standby = new NativeLab();
        standby.Environment["PGBACKUP_REPOSITORY"] = standby.Folder.Combine("gone");
        File.WriteAllText(Path.Combine(standby.DataFolder, "standby.signal"), "");
        Stopwatch waited = Stopwatch.StartNew();
        ToolResult[] results = await Task.WhenAll(
            FetchAsync(NativeLab.Name(3)), standby.RunAsync("fetch", NativeLab.Name(3), "pg_wal/RECOVERYXLOG"));
        Is(126, results[0]);
        Is(1, results[1]);
        Assert.True(waited.Elapsed > TimeSpan.FromSeconds(5), "It was not tried again.");
    }

    [Fact]
    public async Task OneProcessIsLeftThatHoldsNothingOfItsStarters()
    {
        string[] names = _lab.Ready(Enumerable.Range(3, 12));
        await _lab.PushAsync(names[0]);
        string program = NativeCommand.Program;
        ProcessStartInfo start = NativeCommand.StartInfo(_lab.DataFolder, _lab.Environment);
        start.FileName = "/bin/sh";
        foreach (string argument in (string[])["-c", "exec 7</dev/zero; \"$0\" fetch \"$1\" pg_wal/RECOVERYXLOG && ls -l /proc/self/fd/7", program, names[0]])
            start.ArgumentList.Add(argument);
        // Returns when nobody holds its output any more.
        ToolResult first = await ToolProcess.RunAsync(start);
        Assert.Contains("/dev/zero", first.EnsureSuccess().Output, StringComparison.Ordinal);
        await Task.WhenAll(names[1..5].Select(name => _lab.RunAsync("fetch", name, $"pg_wal/{name}.out")));
        await UntilAsync(() => _lab.Prefetchers().Length == 1);
        int left = Assert.Single(_lab.Prefetchers());
        try
        {
            string[] open = [.. Directory.GetFiles($"/proc/{left}/fd").Select(TargetOf)];
            Assert.DoesNotContain("/dev/zero", open);
            Assert.DoesNotContain(open, handle => handle.Contains("/data", StringComparison.Ordinal));
            Assert.Equal(["/dev/null", "/dev/null", "/dev/null"], Enumerable.Range(0, 3).Select(n => File.ResolveLinkTarget($"/proc/{left}/fd/{n}", false)!.FullName));
            string[] stat = File.ReadAllText($"/proc/{left}/stat").Split(") ")[1].Split(' ');
            Assert.Equal((left, left), (Number(stat[2]), Number(stat[3]))); // Its process group and its session.
            await UntilAsync(() => new FileInfo($"/proc/{left}/cwd").LinkTarget == "/");
            await UntilAsync(() => Spooled().Length > 0);

            // The server and its data may go.
            Directory.Delete(_lab.DataFolder, recursive: true);
            Assert.Single(_lab.Prefetchers());
        }
        finally
        {
            (await ToolProcess.RunAsync(new ProcessStartInfo("kill", ["-TERM", $"{left}"]))).EnsureSuccess();
        }
        await UntilAsync(() => _lab.Prefetchers().Length == 0);
        Assert.Empty(Spooled());
    }

    [Fact]
    public async Task AfterKillOfWhatFetchesAheadTheNextFetchWorks()
    {
        string[] names = _lab.Ready(Enumerable.Range(3, 12));
        await _lab.PushAsync(names[0]);
        for (int i = 0; i < names.Length; i++)
        {
            Is(0, await FetchAsync(names[i]));
            Assert.Equal(File.ReadAllBytes(_lab.PathOf(names[i])), File.ReadAllBytes(_lab.PathOf("RECOVERYXLOG")));
            await Task.Delay(i * 3);
            foreach (int process in _lab.Prefetchers())
                await ToolProcess.RunAsync(new ProcessStartInfo("kill", ["-KILL", $"{process}"]));
        }
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static void Is(int exitCode, ToolResult result)
    {
        Assert.True(exitCode == result.ExitCode, $"{result.Command} ended with {result.ExitCode}: {result.Error}");
        if (exitCode == 0)
            Assert.Equal("", result.Error);
        else
            Assert.StartsWith("pgbackup-wal: ", Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
        Assert.Equal("", result.Output);
    }

    private Task<ToolResult> FetchAsync(string name) => _lab.RunAsync("fetch", name, "pg_wal/RECOVERYXLOG");

    private string[] Spooled() => Directory.GetFiles(_lab.SpoolRoot, "0*", SearchOption.AllDirectories).Where(static path => path.Contains("/fetched/", StringComparison.Ordinal)).ToArray();

    private static async Task UntilAsync(Func<bool> holds)
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (!holds())
        {
            Assert.True(waited.Elapsed < TimeSpan.FromSeconds(30), "What was waited for did not come.");
            await Task.Delay(5);
        }
    }

    /// <summary>What a handle of a living process leads to; nothing when it was closed since it was listed.</summary>
    private static string TargetOf(string handle)
    {
        try
        {
            return File.ResolveLinkTarget(handle, false)?.FullName ?? "";
        }
        catch (FileNotFoundException)
        {
            return "";
        }
    }
}
