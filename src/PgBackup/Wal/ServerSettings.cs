using System.Globalization;
using PgBackup.Postgres.Server;

namespace PgBackup.Wal;

/// <summary>A row of pg_settings.</summary>
/// <param name="Name">The name.</param>
/// <param name="Value">The value that the server works with, without a unit.</param>
/// <param name="Source">Where it came from.</param>
/// <param name="NeedsRestart">True for settings that only a restart changes (context postmaster).</param>
/// <param name="PendingRestart">True when the configuration files hold another value that waits for a restart.</param>
internal sealed record ServerSetting(string Name, string Value, string Source, bool NeedsRestart, bool PendingRestart)
{
    /// <summary>True when postgresql.auto.conf cannot change it.</summary>
    public bool IsFixedByCommandLine => Source is "command line" or "environment variable";
}

/// <summary>The settings of a server that archiving depends on.</summary>
internal sealed class ServerSettings
{
    // reset_val and not setting: archive_command shows itself as "(disabled)" while archive_mode is off.
    private const string Query = """
        SELECT name, coalesce(reset_val, ''), source, context = 'postmaster', pending_restart FROM pg_settings
        WHERE name IN ('wal_level', 'archive_mode', 'archive_command', 'archive_timeout', 'archive_library', 'allow_alter_system', 'data_directory', 'wal_keep_size', 'max_slot_wal_keep_size')
        """;

    private readonly Dictionary<string, ServerSetting> _settings;

    public ServerSettings(IEnumerable<ServerSetting> settings) => _settings = settings.ToDictionary(row => row.Name, StringComparer.Ordinal);

    /// <summary>The setting; null where the server does not have it.</summary>
    public ServerSetting? this[string name] => _settings.GetValueOrDefault(name);

    /// <summary>The value; empty where the server does not have the setting.</summary>
    public string ValueOf(string name) => _settings.GetValueOrDefault(name)?.Value ?? "";

    /// <summary>archive_timeout.</summary>
    public TimeSpan ArchiveTimeout => TimeSpan.FromSeconds(int.Parse(ValueOf("archive_timeout"), CultureInfo.InvariantCulture));

    /// <summary>archive_mode is on or always.</summary>
    public bool IsArchiving => ValueOf("archive_mode") is "on" or "always";

    public static async Task<ServerSettings> ReadAsync(ServerSession session, CancellationToken cancellationToken)
    {
        List<ServerSetting> rows = await session.QueryAsync(
            Query, row => new ServerSetting(row.GetString(0), row.GetString(1), row.GetString(2), row.GetBoolean(3), row.GetBoolean(4)), cancellationToken)
            .ConfigureAwait(false);
        return new ServerSettings(rows);
    }
}
