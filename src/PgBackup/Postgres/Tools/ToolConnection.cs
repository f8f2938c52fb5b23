using System.Globalization;
using Npgsql;
using PgBackup.Errors;
using PgBackup.Postgres.Server;

namespace PgBackup.Postgres.Tools;

/// <summary>
/// What tells PostgreSQL's programs which server to connect to: libpq's environment variables, and a private file for the password, gone when this is disposed of. Nothing of it stands on a
/// command line.
/// </summary>
public sealed class ToolConnection : IDisposable
{
    private readonly Dictionary<string, string> _variables = new(StringComparer.Ordinal);
    private string? _passwordFile;

    private ToolConnection()
    {
    }

    /// <summary>The server for messages, as host and port.</summary>
    public string Server { get; private init; } = "";

    /// <summary>The database.</summary>
    public string Database { get; private init; } = "";

    /// <summary>The variables; those that are not named here and say something of a connection must not be inherited.</summary>
    internal IReadOnlyDictionary<string, string> Variables => _variables;

    /// <summary>Makes one for a database of a server. Throws <c>ConnectionSettingsInvalid</c>, <c>TemporaryFileFailed</c>.</summary>
    /// <param name="settings">The server.</param>
    /// <param name="database">The database, as it is named, whatever characters that may be; null for that of the settings.</param>
    public static ToolConnection Create(ServerConnectionSettings settings, string? database = null)
    {
        NpgsqlConnectionStringBuilder builder = settings.ToBuilder(database);
        var connection = new ToolConnection { Server = settings.Describe(), Database = builder.Database! };
        Dictionary<string, string> variables = connection._variables;
        variables["PGHOST"] = builder.Host!;
        variables["PGPORT"] = builder.Port.ToString(CultureInfo.InvariantCulture);
        variables["PGUSER"] = builder.Username!;
        // By a variable it is a name and nothing else; on a command line "a=b" and "postgres://…" would be connection strings.
        variables["PGDATABASE"] = builder.Database!;
        variables["PGAPPNAME"] = "PgBackup";
        if (builder.ContainsKey("SSL Mode") || settings.SslMode is not null)
            variables["PGSSLMODE"] = LibpqName(builder.SslMode);
        if (builder.ContainsKey("Channel Binding"))
            variables["PGCHANNELBINDING"] = builder.ChannelBinding.ToString().ToLowerInvariant();
        Add("PGSSLROOTCERT", builder.RootCertificate);
        Add("PGSSLCERT", builder.SslCertificate);
        Add("PGSSLKEY", builder.SslKey);
        Add("PGOPTIONS", builder.Options);
        Add("PGPASSFILE", builder.Passfile);
        if (builder.Password is { Length: > 0 } password)
            variables["PGPASSFILE"] = connection._passwordFile = WritePasswordFile(password);
        else if (Environment.GetEnvironmentVariable("PGPASSWORD") is { Length: > 0 } inherited)
            variables["PGPASSWORD"] = inherited;
        return connection;

        void Add(string name, string? value)
        {
            if (value is { Length: > 0 })
                variables[name] = value;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_passwordFile is not null)
            File.Delete(_passwordFile);
        _passwordFile = null;
    }

    // libpq's names: verify-ca and verify-full have a hyphen.
    private static string LibpqName(SslMode mode) => mode switch
    {
        SslMode.VerifyCA => "verify-ca",
        SslMode.VerifyFull => "verify-full",
        _ => mode.ToString().ToLowerInvariant(),
    };

    // One line for whatever is asked: the file is this process's alone. (PostgreSQL documentation, "The Password File": ':' and '\' are escaped.)
    private static string WritePasswordFile(string password)
    {
        string path = Path.Combine(Path.GetTempPath(), $"pgbackup-{Path.GetRandomFileName()}");
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        try
        {
            using var writer = new StreamWriter(path, options);
            writer.Write($"*:*:*:*:{password.Replace("\\", "\\\\", StringComparison.Ordinal).Replace(":", "\\:", StringComparison.Ordinal)}\n");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.TemporaryFileFailed(Path.GetTempPath(), error);
        }
        return path;
    }
}
