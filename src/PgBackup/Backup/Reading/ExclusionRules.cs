using System.Collections.Frozen;

namespace PgBackup.Backup.Reading;

/// <summary>
/// What of a data directory is left out. WAL-G's list, by name at any depth (a folder keeps its header and is restored empty), and what the server
/// makes anew or must not find in a restored directory (PostgreSQL documentation, "Backing Up the Data Directory"; pg_basebackup's lists).
/// </summary>
internal static class ExclusionRules
{
    private static readonly FrozenSet<string> s_names = new[]
    {
        "log", "pg_log", "pg_xlog", "pg_wal", "pgsql_tmp", "postgresql.auto.conf.tmp", "postmaster.pid", "postmaster.opts", "recovery.conf",
        "pg_dynshmem", "pg_notify", "pg_replslot", "pg_serial", "pg_stat_tmp", "pg_snapshots", "pg_subtrans", "standby.signal",
        "recovery.signal",
    }.ToFrozenSet(StringComparer.Ordinal);

    // Stale ones of an earlier restore: the backup brings its own. Only at the top, where the server would read them.
    private static readonly FrozenSet<string> s_topNames = new[]
    {
        "backup_label", "backup_label.old", "tablespace_map", "tablespace_map.old", "backup_manifest", "pgbackup_restore_in_progress",
    }.ToFrozenSet(StringComparer.Ordinal);

    /// <summary>True when the content of a folder of this name stays out.</summary>
    public static bool LeavesOutContentOf(string folderName) =>
        s_names.Contains(folderName) || folderName.StartsWith("pgsql_tmp", StringComparison.Ordinal);

    /// <summary>True when a file of this name stays out.</summary>
    public static bool LeavesOut(string fileName, bool atTop) =>
        s_names.Contains(fileName)
        || (atTop && s_topNames.Contains(fileName))
        || fileName.StartsWith("pgsql_tmp", StringComparison.Ordinal)
        || fileName.StartsWith("pg_internal.init", StringComparison.Ordinal);
}
