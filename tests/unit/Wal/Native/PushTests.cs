using PgBackup.Tests.Kit;
using PgBackup.Wal.Fetch;

namespace PgBackup.Tests.Wal.Native;

/// <summary>The native push as a process: what it stores ahead, how it ends, and what it says.</summary>
public sealed class PushTests : IDisposable
{
    private readonly NativeLab _lab = new();

    public void Dispose() => _lab.Dispose();

    [Fact]
    public async Task OthersThatWaitAreStoredAndAnsweredForLater()
    {
        string[] names = _lab.Ready(Enumerable.Range(3, 12));
        Silent(await _lab.PushAsync(names[0]));
        Assert.Equal(names.Select(static name => name + ".zst"), _lab.Stored());
        Assert.Equal(names[1..], _lab.Remembered());

        _lab.Done(names[0]);
        foreach (string name in names[1..])
        {
            ToolResult told = await _lab.RunAsync("push", $"pg_wal/{name}", "--verbose");
            Assert.Equal(0, told.ExitCode);
            Assert.Contains($"{name}: StoredAhead", told.Error, StringComparison.Ordinal);
            _lab.Done(name);
        }
        await HoldsAsync(names);
    }

    [Fact]
    public async Task EveryKindOfFileIsStored()
    {
        string[] segments = _lab.Ready(3, 4);
        string partial = _lab.Ready(NativeLab.Name(5) + ".partial", WalSamples.SegmentBytes(NativeLab.Name(5)));
        string backup = _lab.Ready(segments[0] + ".00000028.backup", "START WAL LOCATION: 0/300028 (file 000000010000000000000003)\nSTOP WAL LOCATION: 0/300100 (file 000000010000000000000003)\n"u8);
        string history = _lab.Ready("00000002.history", "1\t0/500000\tno recovery target specified\n"u8);

        // It does not tell whose it is: nothing is done ahead of it.
        Silent(await _lab.PushAsync(history));
        Assert.Equal([history + ".zst"], _lab.Stored());
        _lab.Done(history);
        Silent(await _lab.PushAsync(segments[0]));
        await HoldsAsync([.. segments, partial, backup, history]);
        foreach (string name in (string[])[segments[0], backup, segments[1], partial])
            Silent(await _lab.PushAsync(name));
    }

    [Fact]
    public async Task NothingIsDoneAheadOfAFileThatIsPushedByHand()
    {
        string[] names = _lab.Ready(3, 4);
        _lab.Done(names[0]);
        Silent(await _lab.PushAsync(names[0]));
        Assert.Equal([names[0] + ".zst"], _lab.Stored());
    }

    [Fact]
    public async Task ProcessesForTheSameFileAndForOthersDoNotDisturbEachOther()
    {
        string[] names = _lab.Ready(Enumerable.Range(3, 10));
        ToolResult[] results = await Task.WhenAll(names.Concat(names.Take(4)).Select(_lab.PushAsync));
        Assert.All(results, Silent);
        await HoldsAsync(names);
        Assert.Equal(names.Length, _lab.Stored().Length);
        Assert.All(await Task.WhenAll(names.Select(_lab.PushAsync)), Silent);
    }

    [Fact]
    public async Task AKilledPushLosesNothingAndTellsNoLies()
    {
        string[] names = _lab.Ready(Enumerable.Range(3, 24));
        var random = new Random(5);
        for (int round = 0; round < 20; round++)
        {
            using System.Diagnostics.Process process = _lab.Start("push", $"pg_wal/{names[round % names.Length]}");
            await Task.Delay(random.Next(60));
            process.Kill();
            await process.WaitForExitAsync();
            // What is remembered is there; longer names are of receipts that were not finished.
            foreach (string name in _lab.Remembered().Where(static name => name.Length == NativeLab.Name(3).Length))
                Assert.Contains(name + ".zst", _lab.Stored());
        }
        foreach (string name in names)
            Silent(await _lab.PushAsync(name));
        await HoldsAsync(names);
    }

    [Fact]
    public async Task AFailureIsOneLineAndAnExitCode()
    {
        string[] names = _lab.Ready(3, 4);
        OneLine(2, "is not the name", await _lab.PushAsync("wrong"));
        OneLine(1, "cannot be read", await _lab.PushAsync(NativeLab.Name(9)));
        Silent(await _lab.PushAsync(names[0]));
        _lab.Ready(names[0], WalSamples.SegmentBytes(names[0], seed: 99));
        OneLine(1, "other content", await _lab.PushAsync(names[0]));

        _lab.Environment["PGBACKUP_REPOSITORY"] = _lab.Folder.Combine("no", "where");
        OneLine(10, "no/where", await _lab.PushAsync(names[1]));
        _lab.Environment.Remove("PGBACKUP_REPOSITORY");
        OneLine(2, "repository", await _lab.PushAsync(names[1]));
        OneLine(2, "--colour", await _lab.RunAsync("push", "pg_wal/x", "--colour", "red"));
        OneLine(2, "--config", await _lab.RunAsync("push", "pg_wal/x", "--config"));
        OneLine(2, "push", await _lab.RunAsync("push"));
        OneLine(2, "", await _lab.RunAsync("push", ""));
    }

    [Fact]
    public async Task NoSecretIsTold()
    {
        string[] names = _lab.Ready(3, 4);
        const string Other = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";
        _lab.Environment["WALG_LIBSODIUM_KEY"] = WalSamples.HexKey;
        _lab.Environment["WALG_LIBSODIUM_KEY_TRANSFORM"] = "hex";
        Silent(await _lab.PushAsync(names[0]));
        ToolResult check = await _lab.RunAsync("check");
        Assert.Equal(0, check.ExitCode);

        _lab.Environment["WALG_LIBSODIUM_KEY"] = Other;
        ToolResult wrong = await _lab.RunAsync("push", $"pg_wal/{NativeLab.Name(4)}", "--verbose");
        Assert.Equal(0, wrong.ExitCode); // It was stored ahead, with the right key.
        _lab.Ready(5);
        ToolResult wrongKey = await _lab.RunAsync("push", $"pg_wal/{NativeLab.Name(5)}", "--verbose");
        Assert.Equal(12, wrongKey.ExitCode);
        ToolResult failedCheck = await _lab.RunAsync("check");
        Assert.Equal(14, failedCheck.ExitCode);

        _lab.Environment.Remove("WALG_LIBSODIUM_KEY");
        OneLine(12, "key", await _lab.RunAsync("push", $"pg_wal/{NativeLab.Name(5)}", "--require-key"));

        _lab.Environment["PGBACKUP_REPOSITORY"] = "s3://bucket/prefix";
        _lab.Environment["AWS_ENDPOINT"] = "http://127.0.0.1:1";
        _lab.Environment["AWS_REGION"] = "us-east-1";
        _lab.Environment["AWS_ACCESS_KEY_ID"] = "AKIDEXAMPLE";
        _lab.Environment["AWS_SECRET_ACCESS_KEY"] = "wJalrXUtnFEMI";
        _lab.Environment["WALG_S3_MAX_RETRIES"] = "1";
        ToolResult unreachable = await _lab.PushAsync(NativeLab.Name(5));
        Assert.NotEqual(0, unreachable.ExitCode);
        Assert.Single(Lines(unreachable.Error));
        foreach (ToolResult told in (ToolResult[])[check, wrong, wrongKey, failedCheck, unreachable, await _lab.RunAsync("check")])
        {
            foreach (string secret in (string[])[WalSamples.HexKey, Other, "wJalrXUtnFEMI"])
                Assert.DoesNotContain(secret, told.Output + told.Error, StringComparison.OrdinalIgnoreCase);
        }
    }

    private static void Silent(ToolResult result)
    {
        Assert.Equal((0, "", ""), (result.ExitCode, result.Output, result.Error));
    }

    private static void OneLine(int exitCode, string text, ToolResult result)
    {
        Assert.Equal((exitCode, ""), (result.ExitCode, result.Output));
        string line = Assert.Single(Lines(result.Error));
        Assert.StartsWith("pgbackup-wal: ", line, StringComparison.Ordinal);
        Assert.Contains(text, line, StringComparison.OrdinalIgnoreCase);
    }

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private async Task HoldsAsync(IEnumerable<string> names)
    {
        string target = _lab.Folder.Combine("held");
        foreach (string name in names)
        {
            await WalFetch.FetchAsync(_lab.Repository, name, target);
            Assert.True(File.ReadAllBytes(target).AsSpan().SequenceEqual(File.ReadAllBytes(_lab.PathOf(name))), $"{name} is something else in the archive.");
        }
    }
}
