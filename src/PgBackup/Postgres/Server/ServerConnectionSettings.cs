using Npgsql;
using PgBackup.Errors;

namespace PgBackup.Postgres.Server;

/// <summary>
/// How to reach a server. What is not given comes from libpq's environment (PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD, PGPASSFILE, PGSSLMODE),
/// then from libpq's defaults: the local socket, port 5432, the name of the account.
/// </summary>
public sealed record ServerConnectionSettings
{
    private static readonly string[] s_socketFolders = ["/var/run/postgresql", "/tmp"];

    /// <summary>A host name, an address, or the folder of a socket.</summary>
    public string? HostName { get; init; }

    /// <summary>The port.</summary>
    public int? Port { get; init; }

    /// <summary>The role to log in as.</summary>
    public string? UserName { get; init; }

    /// <summary>The database to connect to.</summary>
    public string? Database { get; init; }

    /// <summary>The password; never shown.</summary>
    public string? Password { get; init; }

    /// <summary>A file in the form of .pgpass; null for libpq's own.</summary>
    public string? PasswordFile { get; init; }

    /// <summary>Npgsql's SSL mode: Disable, Allow, Prefer, Require, VerifyCA, VerifyFull.</summary>
    public string? SslMode { get; init; }

    /// <summary>A whole connection string: a URI (<c>postgresql://user@host/db</c>), libpq's <c>key=value</c>, or Npgsql's form; the other values override what it says.</summary>
    public string? ConnectionString { get; init; }

    /// <summary>The server for messages: host and port, never the password.</summary>
    public string Describe()
    {
        NpgsqlConnectionStringBuilder builder = ToBuilder(null);
        return $"{builder.Host}:{builder.Port}";
    }

    /// <summary>The database that a session without another one goes to. Throws <c>ConnectionSettingsInvalid</c>.</summary>
    public string DatabaseName => ToBuilder(null).Database!;

    /// <summary>Host, port and user; the password stays out of every text.</summary>
    public override string ToString() => Describe();

    /// <summary>The driver's settings for one unpooled session. Throws <c>ConnectionSettingsInvalid</c>.</summary>
    internal NpgsqlConnectionStringBuilder ToBuilder(string? database)
    {
        NpgsqlConnectionStringBuilder builder = ConnectionText.Parse(ConnectionString ?? "");
        if (SslMode is not null)
        {
            builder.SslMode = Enum.TryParse(SslMode.Replace("-", "", StringComparison.Ordinal), ignoreCase: true, out SslMode mode)
                ? mode
                : throw PgErrors.ConnectionSettingsInvalid($"'{SslMode}' is not an SSL mode.");
        }
        builder.Host = HostName ?? builder.Host ?? Variable("PGHOST") ?? DefaultHost();
        builder.Port = Port ?? (builder.ContainsKey("Port") && builder.Port != 5432 ? builder.Port : PortVariable() ?? builder.Port);
        builder.Username = UserName ?? builder.Username ?? Variable("PGUSER") ?? Environment.UserName;
        builder.Password = Password ?? builder.Password; // PGPASSWORD, PGPASSFILE and ~/.pgpass are read by the driver.
        builder.Passfile = PasswordFile ?? builder.Passfile;
        builder.Database = database ?? Database ?? builder.Database ?? Variable("PGDATABASE") ?? "postgres";
        builder.ApplicationName = "PgBackup";
        builder.Pooling = false;
        builder.Enlist = false;
        builder.CommandTimeout = 0;       // A spread checkpoint outlives the driver's 30 seconds.
        if (builder.Host is not ['/' or '@', ..]) // A Unix socket knows no such options.
        {
            builder.TcpKeepAlive = true;
            builder.TcpKeepAliveTime = 30;
            builder.TcpKeepAliveInterval = 10;
        }
        builder.IncludeErrorDetail = false;
        return builder;
    }

    private static string DefaultHost()
    {
        if (!OperatingSystem.IsWindows())
        {
            foreach (string folder in s_socketFolders)
            {
                if (Directory.Exists(folder) && Directory.EnumerateFiles(folder, ".s.PGSQL.*").Any())
                    return folder;
            }
        }
        return "localhost";
    }

    private static int? PortVariable() => Variable("PGPORT") is not { } text ? null
        : int.TryParse(text, out int port) && port is > 0 and < 65536 ? port
        : throw PgErrors.ConnectionSettingsInvalid($"PGPORT is '{text}', which is no port.");

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
