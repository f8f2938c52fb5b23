using PgBackup.Errors;
using PgBackup.Postgres;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.Server;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Backup;

/// <summary>What must hold before a backup begins; each failure is an error of its own that says what to do.</summary>
internal static class BackupChecks
{
    /// <summary>Proves server, rights, data directory and archiving.</summary>
    public static async Task<BackupTarget> RunAsync(ServerSession server, BackupOptions options, CancellationToken cancellationToken)
    {
        await RequireRightsAsync(server, cancellationToken).ConfigureAwait(false);
        bool isStandby = await server.ScalarAsync<bool>("SELECT pg_is_in_recovery()", cancellationToken).ConfigureAwait(false);
        Dictionary<string, string> settings = await ReadSettingsAsync(server, cancellationToken).ConfigureAwait(false);
        // A standby archives nothing, whatever its settings say, unless they say "always": its primary does. That its WAL arrives is proven in the end.
        if (!isStandby)
            await RequireArchivingAsync(server, settings, cancellationToken).ConfigureAwait(false);

        string dataDirectory = Path.GetFullPath(options.DataDirectory ?? settings["data_directory"]);
        ControlFile control = await ReadControlFileAsync(dataDirectory, cancellationToken).ConfigureAwait(false);
        var identifier = (ulong)await server.ScalarAsync<long>("SELECT system_identifier FROM pg_control_system()", cancellationToken).ConfigureAwait(false);
        if (control.SystemIdentifier != identifier)
            throw PgErrors.DataDirectoryOfAnotherCluster(dataDirectory, control.SystemIdentifier, identifier);

        return new BackupTarget(
            server.Server,
            dataDirectory,
            ClusterTraits.Of(control),
            control.Timeline,
            new Version(server.MajorVersion, server.VersionNumber % 10000),
            server.VersionNumber,
            await FindConfigurationAsync(server, settings, dataDirectory, cancellationToken).ConfigureAwait(false))
        {
            IsStandby = isStandby,
        };
    }

    /// <summary>What the repository records of the cluster.</summary>
    public static ClusterIdentity IdentityOf(BackupTarget target) => new(
        target.Traits.SystemIdentifier, target.ServerVersion.Major, target.Traits.WalSegmentSize.Bytes, DateTimeOffset.UtcNow);

    /// <summary>Proves that no backup of this name is in the repository.</summary>
    public static async Task RequireNameFreeAsync(BackupRepository repository, BackupName name, bool isStandby, CancellationToken cancellationToken)
    {
        if (await repository.Store.StatAsync(RepositoryLayout.SentinelKey(name), cancellationToken).ConfigureAwait(false) is not null)
            throw isStandby ? PgErrors.BackupNameTakenOnStandby(name.Text, repository.Location) : PgErrors.BackupNameTaken(name.Text, repository.Location);
    }

    private static async Task RequireRightsAsync(ServerSession server, CancellationToken cancellationToken)
    {
        string functions = server.MajorVersion >= 15
            ? "has_function_privilege('pg_backup_start(text, boolean)', 'EXECUTE') AND has_function_privilege('pg_backup_stop(boolean)', 'EXECUTE')"
            : "has_function_privilege('pg_start_backup(text, boolean, boolean)', 'EXECUTE') AND has_function_privilege('pg_stop_backup(boolean, boolean)', 'EXECUTE')";
        bool mayStart = await server.ScalarAsync<bool>($"SELECT {functions}", cancellationToken).ConfigureAwait(false);
        if (!mayStart)
            throw PgErrors.InsufficientPrivilege(server.Server, "it has no EXECUTE on the functions that start and stop a backup.");
        bool maySee = await server.ScalarAsync<bool>("SELECT pg_has_role('pg_read_all_settings', 'USAGE')", cancellationToken).ConfigureAwait(false);
        if (!maySee)
            throw PgErrors.InsufficientPrivilege(server.Server, "it is no member of pg_read_all_settings.");
    }

    /// <summary>The settings that matter here, without those that the role may not see.</summary>
    public static async Task<Dictionary<string, string>> ReadSettingsAsync(ServerSession server, CancellationToken cancellationToken)
    {
        List<KeyValuePair<string, string>> rows = await server.QueryAsync(
            """
            SELECT name, setting FROM pg_settings
            WHERE name IN ('data_directory', 'config_file', 'hba_file', 'ident_file', 'archive_mode', 'archive_command', 'archive_library', 'wal_level')
            """,
            static row => KeyValuePair.Create(row.GetString(0), row.IsDBNull(1) ? "" : row.GetString(1)),
            cancellationToken).ConfigureAwait(false);
        return new Dictionary<string, string>(rows, StringComparer.Ordinal);
    }

    /// <summary>Proves that the server archives its WAL, or that it is streamed. Throws <c>ArchivingNotEnabled</c>, <c>ArchivingFails</c>.</summary>
    public static async Task RequireArchivingAsync(ServerSession server, Dictionary<string, string> settings, CancellationToken cancellationToken)
    {
        if (settings["wal_level"] == "minimal")
            throw PgErrors.ArchivingNotEnabled(server.Server, "wal_level is minimal");
        if (settings["archive_mode"] == "off")
        {
            // Somebody receives, Receive-PgWal or another: whether into this repository is proven in the end, when the backup's WAL is waited for. A standby replays
            // what it receives and says how far; who may not see that says nothing.
            const string Receiver =
                """
                SELECT EXISTS (
                    SELECT FROM pg_replication_slots s LEFT JOIN pg_stat_replication r ON r.pid = s.active_pid
                    WHERE s.slot_type = 'physical' AND s.active AND r.replay_lsn IS NULL)
                """;
            if (await server.ScalarAsync<bool>(Receiver, cancellationToken).ConfigureAwait(false))
                return;
            throw PgErrors.ArchivingNotEnabled(server.Server, "archive_mode is off, and nobody receives it through a replication slot (standbys do not count)");
        }
        // With archive_mode off the server shows "(disabled)"; with it on, an empty command keeps the WAL for ever.
        if (settings["archive_command"].Length == 0 && settings.GetValueOrDefault("archive_library", "").Length == 0)
            throw PgErrors.ArchivingNotEnabled(server.Server, "archive_command is empty");

        var failure = await server.QueryAsync(
            """
            SELECT last_failed_wal, last_failed_time, failed_count FROM pg_stat_archiver
            WHERE last_failed_time > coalesce(last_archived_time, '-infinity')
            """,
            static row => (Segment: row.GetString(0), Time: row.GetFieldValue<DateTimeOffset>(1), Count: row.GetInt64(2)),
            cancellationToken).ConfigureAwait(false);
        if (failure is [var last])
            throw PgErrors.ArchivingFails(server.Server, last.Segment, last.Time.ToUniversalTime(), last.Count);
    }

    private static async Task<ControlFile> ReadControlFileAsync(string dataDirectory, CancellationToken cancellationToken)
    {
        try
        {
            return await ControlFile.ReadAsync(dataDirectory, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id == "ControlFileNotFound" && !Directory.Exists(dataDirectory))
        {
            throw PgErrors.DataDirectoryNotFound(dataDirectory);
        }
    }

    private static async Task<ServerConfiguration> FindConfigurationAsync(
        ServerSession server, Dictionary<string, string> settings, string dataDirectory, CancellationToken cancellationToken)
    {
        var files = new SortedSet<string>(StringComparer.Ordinal) { settings["config_file"], settings["hba_file"], settings["ident_file"] };
        // Rights to these views are a superuser's; without them the three main files are what is known.
        string views = server.MajorVersion >= 16
            ? "SELECT sourcefile FROM pg_file_settings UNION SELECT file_name FROM pg_hba_file_rules UNION SELECT file_name FROM pg_ident_file_mappings"
            : "SELECT DISTINCT sourcefile FROM pg_file_settings";
        if (await server.ScalarAsync<bool>("SELECT has_table_privilege('pg_file_settings', 'SELECT') AND has_function_privilege('pg_show_all_file_settings()', 'EXECUTE')", cancellationToken).ConfigureAwait(false))
        {
            foreach (string? file in await server.QueryAsync(views, static row => row.IsDBNull(0) ? null : row.GetString(0), cancellationToken).ConfigureAwait(false))
            {
                if (file is { Length: > 0 })
                    files.Add(file);
            }
        }
        string inside = Path.TrimEndingDirectorySeparator(Path.GetFullPath(settings["data_directory"])) + Path.DirectorySeparatorChar;
        string insideHere = Path.TrimEndingDirectorySeparator(dataDirectory) + Path.DirectorySeparatorChar;
        List<string> outside = [.. files.Where(file =>
            file.Length > 0 && !file.StartsWith(inside, StringComparison.Ordinal) && !file.StartsWith(insideHere, StringComparison.Ordinal))];
        return new ServerConfiguration(settings["config_file"], settings["hba_file"], settings["ident_file"], outside);
    }
}
