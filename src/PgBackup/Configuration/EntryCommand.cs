using PgBackup.Configuration.Handover;
using PgBackup.Errors;

namespace PgBackup.Configuration;

/// <summary>
/// The commands by which PostgreSQL calls the module: <c>archive_command</c> and <c>restore_command</c>, quoted for the shell that the
/// server uses (sh; cmd on Windows) and for PostgreSQL, which expands <c>%</c>. No secret stands in them: a key comes from a file or from the
/// server's environment.
/// </summary>
public sealed record EntryCommand
{
    private const string ArchiveScript = "pgbackup-archive.ps1";
    private const string RestoreScript = "pgbackup-restore-wal.ps1";

    private const string GuardOfCmd = " || (if errorlevel 75 (exit 126) else (if errorlevel 74 (exit 1) else (exit 126)))";

    private readonly bool _windows;

    /// <summary>
    /// Takes full paths. Throws <c>EntryPathUnusable</c> for a path that no quoting can carry through the server's configuration and its shell.
    /// </summary>
    /// <param name="program">What PostgreSQL starts.</param>
    /// <param name="repository">The repository.</param>
    public EntryCommand(EntryProgram program, string repository)
        : this(program, repository, OperatingSystem.IsWindows())
    {
    }

    internal EntryCommand(EntryProgram program, string repository, bool windows)
    {
        _windows = windows;
        Program = program;
        Repository = repository;
    }

    /// <summary>What PostgreSQL starts.</summary>
    public EntryProgram Program { get; }

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
    /// commands refuse to run without, because WAL in plain text would betray who encrypts.
    /// </summary>
    public bool RequireKey { get; init; }

    /// <summary>The value for <c>archive_command</c>; the server puts the segment's path (relative to the data directory) in place of %p.</summary>
    public string ArchiveCommand => Program is ScriptProgram script ? Script(script, ArchiveScript, "%p") : Native("push", "%p");

    /// <summary>
    /// The value for <c>restore_command</c>; the server puts the file's name in place of %f and its destination in place of %p. A script's ends with 1 only when the script said
    /// that the file is not there (74): whatever else goes wrong (no PowerShell, a crash) must not look like the end of the archive. The native command never ends with 1 for anything else,
    /// and sh says 127 of a program that is gone; cmd says 1 of that, and needs the same care.
    /// </summary>
    public string RestoreCommand => (Program, _windows) switch
    {
        (ScriptProgram script, false) => Script(script, RestoreScript, "%f", "%p") + " || case $? in 74) exit 1;; 143) exit 143;; *) exit 126;; esac",
        (ScriptProgram script, true) => Script(script, RestoreScript, "%f", "%p") + GuardOfCmd,
        (_, false) => Native("fetch", "%f", "%p"),
        (_, true) => Native("fetch", "%f", "%p") + " --not-there 74" + GuardOfCmd,
    };

    /// <summary>The commands for a repository. Throws <c>EntryPathUnusable</c>.</summary>
    /// <param name="program">What PostgreSQL starts.</param>
    /// <param name="configuration">What the commands are told of the repository.</param>
    public static EntryCommand For(EntryProgram program, CommandConfiguration configuration) => new(program, configuration.Repository)
    {
        ConfigPath = configuration.ConfigPath,
        KeyPath = configuration.KeyPath,
        KeyTransform = configuration.KeyTransform,
        RequireKey = configuration.RequireKey,
    };

    private string Native(string verb, params ReadOnlySpan<string> placeholders)
    {
        List<string> parts = [Quote(((NativeProgram)Program).Path), verb];
        AddPlaceholders(parts, placeholders);
        AddOptions(parts, "--config", "--repository", "--key-file", "--key-transform", "--require-key");
        return string.Join(' ', parts);
    }

    private string Script(ScriptProgram program, string script, params ReadOnlySpan<string> placeholders)
    {
        // Not Path.Combine: a command for Windows can be asked for elsewhere.
        string separator = _windows ? "\\" : "/";
        List<string> parts = [Quote(program.PowerShell), "-NoProfile", "-NonInteractive", "-File", Quote(program.Folder.TrimEnd('/', '\\') + separator + script)];
        AddPlaceholders(parts, placeholders);
        AddOptions(parts, "-ConfigPath", "-Repository", "-KeyPath", "-KeyTransform", "-RequireKey");
        return string.Join(' ', parts);
    }

    private void AddPlaceholders(List<string> parts, ReadOnlySpan<string> placeholders)
    {
        foreach (string placeholder in placeholders)
            parts.Add(_windows ? $"\"{placeholder}\"" : $"'{placeholder}'");
    }

    private void AddOptions(List<string> parts, string config, string repository, string keyPath, string keyTransform, string requireKey)
    {
        if (ConfigPath is not null)
            parts.AddRange([config, Quote(ConfigPath)]);
        parts.AddRange([repository, Quote(Repository)]);
        if (KeyPath is not null)
            parts.AddRange([keyPath, Quote(KeyPath)]);
        if (KeyTransform is not null)
            parts.AddRange([keyTransform, Quote(KeyTransform)]);
        if (RequireKey)
            parts.Add(requireKey);
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
