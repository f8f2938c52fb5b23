using PgBackup.Configuration.Handover;
using PgBackup.Errors;

namespace PgBackup.Configuration;

/// <summary>
/// The commands by which PostgreSQL calls the module's entry scripts: <c>archive_command</c> and <c>restore_command</c>, quoted for the shell that the
/// server uses (sh; cmd on Windows) and for PostgreSQL, which expands <c>%</c>. No secret stands in them: a key comes from a file or from the
/// server's environment.
/// </summary>
public sealed record EntryCommand
{
    /// <summary>The variable that names the program for the entry scripts; it must take <c>-NoProfile -NonInteractive -File script arguments</c> as pwsh does.</summary>
    public const string ProgramVariable = "PGBACKUP_POWERSHELL";

    private const string ArchiveScript = "pgbackup-archive.ps1";
    private const string RestoreScript = "pgbackup-restore-wal.ps1";

    private readonly bool _windows;

    /// <summary>
    /// Takes full paths. Throws <c>EntryPathUnusable</c> for a path that no quoting can carry through the server's configuration and its shell.
    /// </summary>
    /// <param name="program">The program that runs PowerShell scripts.</param>
    /// <param name="scriptFolder">The module's folder of entry scripts.</param>
    /// <param name="repository">The repository.</param>
    public EntryCommand(string program, string scriptFolder, string repository)
        : this(program, scriptFolder, repository, OperatingSystem.IsWindows())
    {
    }

    internal EntryCommand(string program, string scriptFolder, string repository, bool windows)
    {
        _windows = windows;
        Program = program;
        ScriptFolder = scriptFolder;
        Repository = repository;
    }

    /// <summary>The program that runs PowerShell scripts.</summary>
    public string Program { get; }

    /// <summary>The folder of the entry scripts.</summary>
    public string ScriptFolder { get; }

    /// <summary>The repository.</summary>
    public string Repository { get; }

    /// <summary>The configuration file that names the repository; null when none is needed.</summary>
    public string? ConfigPath { get; init; }

    /// <summary>The file of the encryption key; null when there is none.</summary>
    public string? KeyPath { get; init; }

    /// <summary>How the key is written: none, hex or base64; null for WAL-G's default.</summary>
    public string? KeyTransform { get; init; }

    /// <summary>
    /// True when the key is known from the environment alone (WALG_LIBSODIUM_KEY): the server's environment must have it too, and the
    /// scripts refuse to run without, because WAL in plain text would betray who encrypts.
    /// </summary>
    public bool RequireKey { get; init; }

    /// <summary>The value for <c>archive_command</c>; the server puts the segment's path (relative to the data directory) in place of %p.</summary>
    public string ArchiveCommand => Command(ArchiveScript, "%p");

    /// <summary>
    /// The value for <c>restore_command</c>; the server puts the file's name in place of %f and its destination in place of %p. It ends with 1 only when the script said
    /// that the file is not there (74): whatever else goes wrong (no PowerShell, a crash) must not look like the end of the archive.
    /// </summary>
    public string RestoreCommand => Command(RestoreScript, "%f", "%p") + (_windows
        ? " || (if errorlevel 75 (exit 126) else (if errorlevel 74 (exit 1) else (exit 126)))"
        : " || case $? in 74) exit 1;; 143) exit 143;; *) exit 126;; esac");

    /// <summary>
    /// The commands for a repository, with the program of <see cref="FindProgram()"/>. Throws <c>PowerShellNotFound</c>, <c>EntryPathUnusable</c>.
    /// </summary>
    /// <param name="scriptFolder">The module's folder of entry scripts.</param>
    /// <param name="configuration">What the commands are told of the repository.</param>
    public static EntryCommand For(string scriptFolder, CommandConfiguration configuration) => For(scriptFolder, configuration, FindProgram());

    internal static EntryCommand For(string scriptFolder, CommandConfiguration configuration, string program) => new(program, scriptFolder, configuration.Repository)
    {
        ConfigPath = configuration.ConfigPath,
        KeyPath = configuration.KeyPath,
        KeyTransform = configuration.KeyTransform,
        RequireKey = configuration.RequireKey,
    };

    /// <summary>
    /// The program that runs the entry scripts: what PGBACKUP_POWERSHELL names, else the pwsh that runs this, else the pwsh on the PATH.
    /// Throws <c>PowerShellNotFound</c>.
    /// </summary>
    public static string FindProgram() => FindProgram(Environment.ProcessPath, Environment.GetEnvironmentVariable);

    internal static string FindProgram(string? running, Func<string, string?> environment)
    {
        if (environment(ProgramVariable) is { Length: > 0 } named)
            return File.Exists(named) ? Path.GetFullPath(named) : throw PgErrors.PowerShellPathInvalid(named);
        if (running is not null && string.Equals(Path.GetFileNameWithoutExtension(running), "pwsh", StringComparison.OrdinalIgnoreCase))
            return running;
        string file = OperatingSystem.IsWindows() ? "pwsh.exe" : "pwsh";
        foreach (string folder in (environment("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
        {
            string candidate = Path.Combine(folder, file);
            if (Path.IsPathFullyQualified(candidate) && File.Exists(candidate))
                return candidate;
        }
        throw PgErrors.PowerShellNotFound();
    }

    private string Command(string script, params ReadOnlySpan<string> placeholders)
    {
        // Not Path.Combine: a command for Windows can be asked for elsewhere.
        string separator = _windows ? "\\" : "/";
        var parts = new List<string>
        {
            Quote(Program), "-NoProfile", "-NonInteractive", "-File", Quote(ScriptFolder.TrimEnd('/', '\\') + separator + script),
        };
        foreach (string placeholder in placeholders)
            parts.Add(_windows ? $"\"{placeholder}\"" : $"'{placeholder}'");
        if (ConfigPath is not null)
            parts.AddRange(["-ConfigPath", Quote(ConfigPath)]);
        parts.AddRange(["-Repository", Quote(Repository)]);
        if (KeyPath is not null)
            parts.AddRange(["-KeyPath", Quote(KeyPath)]);
        if (KeyTransform is not null)
            parts.AddRange(["-KeyTransform", Quote(KeyTransform)]);
        if (RequireKey)
            parts.Add("-RequireKey");
        return string.Join(' ', parts);
    }

    private string Quote(string text)
    {
        foreach (char c in text)
        {
            // ALTER SYSTEM refuses line breaks, and a configuration file has no way to write one.
            if (c is '\n' or '\r' or '\0')
                throw PgErrors.EntryPathUnusable(text, "it holds a line break.");
            // Within cmd's double quotes nothing escapes these.
            if (_windows && (c is '"' or '%'))
                throw PgErrors.EntryPathUnusable(text, $"it holds {c}, which cmd gives a meaning of its own.");
        }
        if (_windows)
            return $"\"{text}{(text.EndsWith('\\') ? "\\" : "")}\"";
        return $"'{text.Replace("'", "'\\''", StringComparison.Ordinal).Replace("%", "%%", StringComparison.Ordinal)}'";
    }
}
