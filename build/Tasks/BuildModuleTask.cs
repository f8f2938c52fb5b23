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
        bool hasNative = await PublishNativeAsync(work);
        FileTree.Recreate(Layout.HostFolder);
        await PublishAsync("tests/host/PgBackup.Host.csproj", Layout.HostFolder);
        Stage(work);
        Directory.Delete(work, recursive: true);
        HelpStage.Write(Layout.Module);
        Console.WriteLine($"The module is in {Layout.Module}");
        if (!hasNative)
            Console.WriteLine("It has no pgbackup-wal: that needs clang or gcc and the headers of zlib (Debian: apt-get install gcc zlib1g-dev). The server's commands are PowerShell scripts then.");
        return 0;
    }

    // For this system only: a native program is linked by the system's own tools.
    private static async Task<bool> PublishNativeAsync(string work)
    {
        if (OperatingSystem.IsLinux())
        {
            if (!Prerequisites.CanHave(Prerequisites.Linker))
                return false;
            await Prerequisites.EnsureAsync(Prerequisites.Linker);
        }
        await Run.OkAsync("dotnet", "publish", "src/PgBackup.Wal/PgBackup.Wal.csproj", "-c", Configuration, "-r", Layout.Platform, "-o", Path.Combine(work, "native"), "--nologo", "-v", "quiet");
        return true;
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
        // Beside the native libraries that it loads.
        foreach (string program in Directory.Exists(Path.Combine(work, "native")) ? Directory.GetFiles(Path.Combine(work, "native"), Layout.NativeCommand) : [])
            File.Copy(program, Path.Combine(engine, "runtimes", Layout.Platform, "native", Layout.NativeCommand));
        FileTree.Copy(Layout.Combine("module"), Layout.Module);
        foreach (string file in new[] { "PgBackup.psd1", "LICENSE", "THIRD-PARTY-NOTICES.md", "CHANGELOG.md" })
            File.Copy(Layout.Combine(file), Path.Combine(Layout.Module, file));
    }
}
