using System.Globalization;
using PgBackup.Configuration.Files;
using PgBackup.Postgres.Server;

namespace PgBackup.Configuration;

/// <summary>What a caller says of a server; what is null comes from the configuration, then from libpq's environment.</summary>
public sealed record ServerArguments
{
    /// <summary>What is said of the connection; its host may be a name of the configuration file.</summary>
    public ServerConnectionSettings Connection { get; init; } = new();

    /// <summary>The configuration file; null: the first one that is found where configuration is looked for.</summary>
    public string? ConfigPath { get; init; }

    /// <summary>The caller's folder; null: the process's folder.</summary>
    public string? WorkingFolder { get; init; }
}

/// <summary>How to reach a server, and where its data directory is.</summary>
/// <param name="Connection">The connection.</param>
/// <param name="DataDirectory">The data directory, where the configuration says it.</param>
public sealed record ServerChoice(ServerConnectionSettings Connection, string? DataDirectory)
{
    /// <summary>The variable that names a server of the configuration file.</summary>
    internal const string Variable = "PGBACKUP_SERVER";

    /// <summary>The server's name in the configuration file; null when it does not stand there.</summary>
    public string? Name { get; init; }

    /// <summary>Each value and where it came from; what the driver finds by itself (a password, the local socket) is left out.</summary>
    public IReadOnlyList<ConfigurationValue> Values { get; init; } = [];

    /// <summary>
    /// Takes each setting from the arguments, else from the configuration file: the server whose name is given as the host, or PGBACKUP_SERVER's, or the file's default when neither
    /// host nor connection string is given. What is left comes from libpq's environment. Throws <c>ConfigurationInvalid</c> and its like.
    /// </summary>
    public static ServerChoice Resolve(ServerArguments arguments) => Resolve(arguments, Environment.GetEnvironmentVariable);

    internal static ServerChoice Resolve(ServerArguments arguments, Func<string, string?> environment, string? machineFolder = null)
    {
        ServerConnectionSettings given = arguments.Connection;
        ConfigurationFile? file = new ConfigurationPlaces(
            arguments.ConfigPath, arguments.WorkingFolder ?? Environment.CurrentDirectory, machineFolder ?? ConfigurationPlaces.DefaultMachineFolder, environment).Load();
        ConfiguredThing? configured = Choose(given, file, environment);
        var layers = new SettingLayers(configured?.Settings ?? new Dictionary<string, Setting>(), environment);
        Setting? host = given.HostName is { } name && name != configured?.Name ? Setting.Parameter("HostName", name) : null;
        // A connection string says these things in its own way, before the environment.
        bool whole = given.ConnectionString is not null;
        var connection = given with
        {
            HostName = layers.Take("host", host, setting => setting.Text, null, whole ? [] : ["PGHOST"]),
            Port = layers.Take("port", Given("Port", given.Port?.ToString(CultureInfo.InvariantCulture)), setting => (int?)SettingText.Number(setting, 1, 65535), null, whole ? [] : ["PGPORT"]),
            UserName = layers.Take("user", Given("UserName", given.UserName), setting => setting.Text, null, whole ? [] : ["PGUSER"]),
            Database = layers.Take("database", Given("Database", given.Database), setting => setting.Text, null, whole ? [] : ["PGDATABASE"]),
            SslMode = layers.Take("sslMode", Given("SslMode", given.SslMode), SettingText.SslMode, null, whole ? [] : ["PGSSLMODE"]),
            PasswordFile = layers.Take("passwordFile", null, setting => setting.Text, null, whole ? [] : ["PGPASSFILE"]),
        };
        if (given.Password is not null)
            layers.Note("password", ConfigurationValue.Hidden, "parameter");
        else if (!whole && Setting.Variable(environment, "PGPASSWORD") is { } password)
            layers.Note("password", ConfigurationValue.Hidden, password.Source);
        string? dataDirectory = layers.Take("dataDirectory", null, setting => setting.Text, null);
        return new ServerChoice(connection, dataDirectory) { Name = configured?.Name, Values = layers.Values };
    }

    private static ConfiguredThing? Choose(ServerConnectionSettings given, ConfigurationFile? file, Func<string, string?> environment)
    {
        if (given.HostName is { } host)
            return file?.Server(host);
        if (given.ConnectionString is not null)
            return null;
        if (Setting.Variable(environment, Variable) is { } variable)
        {
            return file?.Server(variable.Text) ?? throw Errors.PgErrors.ServerNameUnknown(
                variable.Text, file?.Path, file is null ? null : Suggestion.For(variable.Text, file.ServerNames));
        }
        return file?.DefaultServer is { } usual ? file.Server(usual.Text) : null;
    }

    private static Setting? Given(string parameter, string? text) => text is null ? null : Setting.Parameter(parameter, text);
}
