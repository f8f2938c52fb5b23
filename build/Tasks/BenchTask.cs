namespace PgBackup.Build.Tasks;

/// <summary>The benchmarks, against other tools on the same data.</summary>
internal sealed class BenchTask : BuildTask
{
    private static string Script => Layout.Combine("bench", "Bench.ps1");

    private static string Project => Layout.Combine("bench", "PgBackup.Bench.csproj");

    /// <inheritdoc/>
    public override string Name => "Bench";

    /// <inheritdoc/>
    public override string Summary => "time backup and restore against tar|zstd and pgBackRest";

    /// <inheritdoc/>
    public override bool IsAvailable => File.Exists(Script) || File.Exists(Project);

    /// <inheritdoc/>
    public override async Task<int> RunAsync(string[] arguments)
    {
        await Prerequisites.EnsureAsync([.. Prerequisites.Server, .. Prerequisites.Rivals]);
        int code = await new BuildModuleTask().RunAsync([]);
        if (code != 0)
            return code;
        return File.Exists(Script)
            ? await ScriptRunner.RunAsync(Script, arguments)
            : await Run.CodeAsync("dotnet", ["run", "-c", "Release", "--project", Project, "--", .. arguments]);
    }
}
