using System.Globalization;
using System.Text;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Restore.Fetching;

namespace PgBackup.Restore.Starting;

/// <summary>Writes what makes the restored files recover to the target: settings, <c>recovery.signal</c>, the map of tablespaces.</summary>
internal static class RecoveryFiles
{
    private const string AutoConf = "postgresql.auto.conf";
    private const string CommentStart = "# Written by PgBackup: ";

    // Left over from the source's own past: a standby's connection, an earlier recovery. Whatever begins with recovery_target goes, too.
    private static readonly HashSet<string> s_recovery = new(StringComparer.Ordinal)
    {
        "restore_command", "archive_cleanup_command", "recovery_end_command", "recovery_min_apply_delay", "primary_conninfo", "primary_slot_name", "promote_trigger_file",
    };

    /// <summary>
    /// Checks the labels that came with the backup, and leads the map to where the tablespaces lie now: from it the server makes the links in pg_tblspc anew.
    /// Throws <c>BackupDamaged</c>.
    /// </summary>
    public static void CheckLabels(RestoreDestination destination, string location, ClusterBackup backup)
    {
        string label = destination.PathOf(BackupLabel.FileName);
        if (!File.Exists(label))
            throw PgErrors.BackupDamaged(location, backup.Name, "it has no backup_label, without which its files cannot be made consistent.");
        Lsn start = BackupLabel.Parse(File.ReadAllText(label)).StartLsn;
        if (start != backup.StartLsn)
            throw PgErrors.BackupDamaged(location, backup.Name, $"its backup_label says that it began at {start}, its sentinel {backup.StartLsn}.");
        string mapFile = destination.PathOf(TablespaceMap.FileName);
        TablespaceMap map = File.Exists(mapFile) ? TablespaceMap.Parse(File.ReadAllText(mapFile)) : TablespaceMap.Empty;
        if (destination.Tablespaces.Count == 0 && map.Entries.Count == 0)
            return;
        Dictionary<uint, string> targets = destination.Tablespaces.ToDictionary(t => t.Oid, t => t.Target);
        foreach (TablespaceLocation entry in map.Entries)
        {
            if (!targets.ContainsKey(entry.Oid))
                throw PgErrors.BackupDamaged(location, backup.Name, $"its tablespace_map names the tablespace {entry.Oid}, which its sentinel does not.");
        }
        if (map.Entries.Count > 0)
            destination.WriteFile(TablespaceMap.FileName, Encoding.UTF8.GetBytes(map.Rewrite(targets).Format()));
    }

    /// <summary>Writes the settings after those that ALTER SYSTEM had made, and the file that asks for recovery.</summary>
    public static void WriteSettings(RestoreDestination destination, IReadOnlyDictionary<string, string> settings, string comment)
    {
        var text = new StringBuilder();
        string path = destination.PathOf(AutoConf);
        foreach (string line in File.Exists(path) ? File.ReadAllLines(path) : [])
        {
            if (line.StartsWith(CommentStart, StringComparison.Ordinal))
                continue;
            if (ConfigurationText.NameOf(line) is { } name
                && (s_recovery.Contains(name) || name.StartsWith("recovery_target", StringComparison.Ordinal) || settings.ContainsKey(name)))
                continue;
            text.Append(line).Append('\n');
        }
        text.Append(CommentStart).Append(comment.ReplaceLineEndings(" ")).Append('\n');
        foreach ((string name, string value) in settings)
            text.Append(ConfigurationText.Line(name, value)).Append('\n');
        destination.WriteFile(AutoConf, Encoding.UTF8.GetBytes(text.ToString()));
        destination.RemoveFile("standby.signal");
        destination.WriteFile("recovery.signal", default);
    }

    /// <summary>Adds settings to a cluster that is complete; the last line of a name counts.</summary>
    public static void AddSettings(string dataDirectory, IReadOnlyDictionary<string, int> settings, string comment) => File.AppendAllLines(
        Path.Combine(dataDirectory, AutoConf),
        settings.Select(s => ConfigurationText.Line(s.Key, s.Value.ToString(CultureInfo.InvariantCulture))).Prepend(CommentStart + comment));
}
