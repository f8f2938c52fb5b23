namespace PgBackup.Build.Tasks;

/// <summary>The benchmarks, against other tools on the same data.</summary>
internal sealed class BenchTask : BuildTask
{
    private static string Project => Layout.Combine("bench", "PgBackup.Bench", "PgBackup.Bench.csproj");

    /// <inheritdoc/>
    public override string Name => "Bench";

    /// <inheritdoc/>
    public override string Summary => "time backup and restore against tar|zstd and pgBackRest; --store in a bucket; --delta what changed; --wal the log; --loss what kill -9 costs; --dump logical backups; --rounds N, --scale N, --documents MB";

    /// <inheritdoc/>
    public override async Task<int> RunAsync(string[] arguments)
    {
        await Prerequisites.EnsureAsync([.. Prerequisites.Server, .. Prerequisites.Rivals]);
        if (arguments.Contains("--store") || arguments.Contains("--wal"))
            await StoreRoots.EnsureAsync();
        if (arguments.Contains("--delta"))
        {
            await PostgresRoots.EnsureAsync();
            await RivalRoots.EnsureAsync();
        }
        int code = await new BuildModuleTask().RunAsync([]);
        if (code != 0)
            return code;
        string powerShell = await ScriptRunner.FindPwshAsync() ?? Layout.Host;
        return await Run.CodeAsync(
            "dotnet", ["run", "-c", "Release", "--project", Project, "-v", "quiet", "--", "--module", Layout.Module, "--powershell", powerShell, .. arguments]);
    }
}
