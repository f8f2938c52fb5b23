namespace PgBackup.Build.Tasks;

/// <summary>The main job, shown on a throw-away cluster.</summary>
internal sealed class DemoTask : BuildTask
{
    private static string Script => Layout.Combine("build", "Demo.ps1");

    /// <inheritdoc/>
    public override string Name => "Demo";

    /// <inheritdoc/>
    public override string Summary => "back up a throw-away cluster, damage it, and restore it to a moment before";

    /// <inheritdoc/>
    public override bool IsAvailable => File.Exists(Script);

    /// <inheritdoc/>
    public override async Task<int> RunAsync(string[] arguments)
    {
        await Prerequisites.EnsureAsync(Prerequisites.Server);
        int code = await new BuildModuleTask().RunAsync([]);
        return code != 0 ? code : await ScriptRunner.RunAsync(Script, arguments);
    }
}
