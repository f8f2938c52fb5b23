namespace PgBackup.Build;

/// <summary>
/// A copy of the staged module that every account can read: the server's account runs the entry scripts, and may not be able to enter the folder that this
/// tree lies in.
/// </summary>
internal sealed class SharedModule : IDisposable
{
    private const UnixFileMode Everybody =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    public SharedModule()
    {
        ModulePath = Directory.CreateTempSubdirectory("pgbackup-module-").FullName;
        FileTree.Copy(Layout.Module, Path.Combine(ModulePath, "PgBackup"));
        if (OperatingSystem.IsWindows())
            return;
        foreach (string folder in Directory.EnumerateDirectories(ModulePath, "*", SearchOption.AllDirectories).Append(ModulePath))
            File.SetUnixFileMode(folder, Everybody);
    }

    /// <summary>The folder for PSModulePath.</summary>
    public string ModulePath { get; }

    public void Dispose() => Directory.Delete(ModulePath, recursive: true);
}
