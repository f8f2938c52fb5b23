using PgBackup.Errors;

namespace PgBackup.Configuration.Files;

/// <summary>How a configuration file was found; the later, the less its finder meant just this file.</summary>
internal enum ConfigurationOrigin
{
    /// <summary>Somebody named it.</summary>
    Named,

    /// <summary>It is the user's own.</summary>
    User,

    /// <summary>It is the machine's.</summary>
    Machine,

    /// <summary>It lies in the working folder.</summary>
    WorkingFolder,
}

/// <summary>Where the configuration file is looked for; the first that is there is the one, nothing is merged.</summary>
/// <param name="Named">The file that the caller named; null when none.</param>
/// <param name="WorkingFolder">The caller's folder.</param>
/// <param name="MachineFolder">The folder of the machine's configuration.</param>
/// <param name="Environment">Reads a variable.</param>
internal sealed record ConfigurationPlaces(string? Named, string WorkingFolder, string MachineFolder, Func<string, string?> Environment)
{
    /// <summary>The variable that names the file.</summary>
    public const string Variable = "PGBACKUP_CONFIG";

    /// <summary>The name of the file in its folder.</summary>
    public const string FileName = "config.yaml";

    private const string LocalName = "pgbackup.yaml";

    /// <summary>The folder of the machine's configuration on this system.</summary>
    public static string DefaultMachineFolder { get; } = OperatingSystem.IsWindows()
        ? Path.Combine(System.Environment.GetFolderPath(System.Environment.SpecialFolder.CommonApplicationData), "PgBackup")
        : "/etc/pgbackup";

    /// <summary>The machine's file.</summary>
    public string MachineFile => Path.Combine(MachineFolder, FileName);

    /// <summary>The folder that ~ stands for; null when it is not known.</summary>
    public string? Home => Environment(OperatingSystem.IsWindows() ? "USERPROFILE" : "HOME") is { } home && Path.IsPathFullyQualified(home) ? home : null;

    /// <summary>The user's file; null where there is no place for one.</summary>
    public string? UserFile
    {
        get
        {
            if (OperatingSystem.IsWindows())
                return Environment("APPDATA") is { Length: > 0 } data ? Path.Combine(data, "PgBackup", FileName) : null;
            // XDG Base Directory Specification: a relative value counts as none.
            string? folder = Environment("XDG_CONFIG_HOME") is { } given && Path.IsPathFullyQualified(given) ? given : Home is null ? null : Path.Combine(Home, ".config");
            return folder is null ? null : Path.Combine(folder, "pgbackup", FileName);
        }
    }

    /// <summary>The folder of an account with this home, where it has said nothing of another place.</summary>
    public static string UserFolderOf(string home) => Path.Combine(home, ".config", "pgbackup");

    /// <summary>
    /// The file's content; null when there is no file. Throws <c>ConfigurationNotFound</c> for one that was named, <c>ConfigurationNotTrusted</c>, and what
    /// <see cref="ConfigurationFile.Load"/> throws.
    /// </summary>
    public ConfigurationFile? Load()
    {
        if (Find() is not { } found)
            return null;
        FileTrust.Require(found.Path, found.Origin);
        return ConfigurationFile.Load(found.Path, Home);
    }

    /// <summary>The file and how it was found. Throws <c>ConfigurationNotFound</c>.</summary>
    public (string Path, ConfigurationOrigin Origin)? Find()
    {
        if (Named is not null)
            return (Existing(Path.GetFullPath(Named, WorkingFolder), "-ConfigPath"), ConfigurationOrigin.Named);
        if (Environment(Variable) is { Length: > 0 } variable)
            return (Existing(Path.GetFullPath(variable, WorkingFolder), $"environment {Variable}"), ConfigurationOrigin.Named);
        foreach ((string? path, ConfigurationOrigin origin) in new[]
        {
            (Path.Combine(WorkingFolder, LocalName), ConfigurationOrigin.WorkingFolder), (UserFile, ConfigurationOrigin.User), (MachineFile, ConfigurationOrigin.Machine),
        })
        {
            if (path is not null && File.Exists(path))
                return (path, origin);
        }
        return null;
    }

    private static string Existing(string path, string source) => File.Exists(path) ? path : throw PgErrors.ConfigurationNotFound(path, source);
}
