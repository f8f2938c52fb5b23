using PgBackup.Codecs;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Wal.Fetch;

namespace PgBackup.Wal.Command;

/// <summary>What the command line asks for.</summary>
/// <param name="Verb">The command: push, fetch, prefetch, check.</param>
/// <param name="Operands">What it works on.</param>
internal sealed record Invocation(string Verb, IReadOnlyList<string> Operands)
{
    private const string Key = "WALG_LIBSODIUM_KEY";

    /// <summary>The configuration file.</summary>
    public string? ConfigPath { get; init; }

    /// <summary>The repository: a name of the configuration file, a URL, a folder.</summary>
    public string? Repository { get; init; }

    /// <summary>The file of the encryption key.</summary>
    public string? KeyFile { get; init; }

    /// <summary>How that is written.</summary>
    public string? KeyTransform { get; init; }

    /// <summary>Whether the environment must hold the key: WAL in plain text would betray who encrypts.</summary>
    public bool RequireKey { get; init; }

    /// <summary>How a fetch ends when the file is not there.</summary>
    public int NotThereCode { get; init; } = RestoreCommand.NotThere;

    /// <summary>Whether every step is told.</summary>
    public bool IsVerbose { get; init; }

    /// <summary>The options as they were given, for a process that is to work on the same repository.</summary>
    public IReadOnlyList<string> Options { get; init; } = [];

    /// <summary>The repository's settings. Throws <c>EncryptionKeyRequired</c>, and what <see cref="RepositorySettings.Resolve(RepositoryArguments)"/> throws.</summary>
    public RepositorySettings Resolve()
    {
        var arguments = new RepositoryArguments { Repository = Repository, ConfigPath = ConfigPath is null ? null : Path.GetFullPath(ConfigPath) };
        RepositorySettings settings = RepositorySettings.Resolve(arguments, Variable);
        if (RequireKey && settings.Key is null)
            throw PgErrors.EncryptionKeyRequired(settings.Location, null);
        return settings;
    }

    // The options stand for the variables of the same meaning, so that everything else is decided in one place.
    private string? Variable(string name) => name switch
    {
        Key when KeyFile is not null => null,
        Key + "_PATH" when KeyFile is not null => KeyFile,
        Key + "_TRANSFORM" when KeyTransform is not null => KeyTransform,
        _ => Environment.GetEnvironmentVariable(name),
    };
}
