using PgBackup.Build.Help;

namespace PgBackup.Build.Tasks;

/// <summary>Stages the module, as it is shipped, under <c>out/module</c>, and the small host under <c>out/host</c>.</summary>
internal sealed class BuildModuleTask : BuildTask
{
    private const string Configuration = "Release";

    // The systems that PowerShell 7.6 runs on; packages bring native libraries for phones and browsers as well.
    private static readonly string[] s_systems = ["linux", "osx", "win"];

    /// <inheritdoc/>
    public override string Name => "Build";

    /// <inheritdoc/>
    public override string Summary => "stage the module in out/module/PgBackup (the default)";

    /// <inheritdoc/>
    public override async Task<int> RunAsync(string[] arguments)
    {
        string work = Path.Combine(Layout.Out, "publish");
        FileTree.Recreate(work);
        await PublishAsync("src/PgBackup/PgBackup.csproj", Path.Combine(work, "engine"));
        await PublishAsync("src/PgBackup.Loader/PgBackup.Loader.csproj", Path.Combine(work, "loader"));
        await PublishAsync("src/PgBackup.PowerShell/PgBackup.PowerShell.csproj", Path.Combine(work, "cmdlets"));
        FileTree.Recreate(Layout.HostFolder);
        await PublishAsync("tests/host/PgBackup.Host.csproj", Layout.HostFolder);
        Stage(work);
        Directory.Delete(work, recursive: true);
        HelpStage.Write(Layout.Module);
        Console.WriteLine($"The module is in {Layout.Module}");
        return 0;
    }

    private static Task PublishAsync(string project, string target) =>
        Run.OkAsync("dotnet", "publish", project, "-c", Configuration, "-o", target, "--nologo", "-v", "quiet");

    private static void Stage(string work)
    {
        FileTree.Recreate(Layout.Module);
        string bin = Path.Combine(Layout.Module, "bin");
        string engine = Path.Combine(bin, "engine");
        Directory.CreateDirectory(engine);
        File.Copy(Path.Combine(work, "loader", "PgBackup.Loader.dll"), Path.Combine(bin, "PgBackup.Loader.dll"));
        File.Copy(Path.Combine(work, "cmdlets", "PgBackup.PowerShell.dll"), Path.Combine(bin, "PgBackup.PowerShell.dll"));
        foreach (string file in Directory.GetFiles(Path.Combine(work, "engine"), "*.dll"))
            File.Copy(file, Path.Combine(engine, Path.GetFileName(file)));
        string runtimes = Path.Combine(work, "engine", "runtimes");
        foreach (string folder in Directory.GetDirectories(runtimes).Where(d => s_systems.Contains(Path.GetFileName(d).Split('-')[0])))
            FileTree.Copy(folder, Path.Combine(engine, "runtimes", Path.GetFileName(folder)));
        FileTree.Copy(Layout.Combine("module"), Layout.Module);
        foreach (string file in new[] { "PgBackup.psd1", "LICENSE", "THIRD-PARTY-NOTICES.md", "CHANGELOG.md" })
            File.Copy(Layout.Combine(file), Path.Combine(Layout.Module, file));
    }
}
