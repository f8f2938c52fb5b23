using PgBackup.Codecs;

namespace PgBackup.Repository;

/// <summary>Where things lie in a repository (WAL-G's layout; what is ours alone lies under <see cref="PrivateFolder"/>).</summary>
public static class RepositoryLayout
{
    /// <summary>The folder of base backups, with its slash.</summary>
    public const string BackupFolder = "basebackups_005/";

    /// <summary>The folder of the WAL archive, with its slash.</summary>
    public const string WalFolder = "wal_005/";

    /// <summary>
    /// The folder of what has no shape in WAL-G. No path in it holds 24 upper-case hexadecimal digits in a row: wal-g's <c>delete</c>
    /// would take it for a segment.
    /// </summary>
    public const string PrivateFolder = "pgbackup_v1/";

    /// <summary>What the name of a sentinel ends with.</summary>
    public const string SentinelSuffix = "_backup_stop_sentinel.json";

    /// <summary>The object whose presence makes a backup exist; written last.</summary>
    public static string SentinelKey(BackupName name) => BackupFolder + name + SentinelSuffix;

    /// <summary>The folder of a backup's objects, with its slash.</summary>
    public static string FolderOf(BackupName name) => $"{BackupFolder}{name}/";

    /// <summary>The small description that <c>backup-list --detail</c> and <c>backup-mark</c> read.</summary>
    public static string MetadataKey(BackupName name) => FolderOf(name) + "metadata.json";

    /// <summary>The list of a backup's files.</summary>
    public static string FilesMetadataKey(BackupName name) => FolderOf(name) + "files_metadata.json";

    /// <summary>The index of frames, ours alone; encrypted where the parts are.</summary>
    public static string IndexKey(BackupName name) => FolderOf(name) + "pgbackup_index.json" + CompressionNames.Extension(CompressionMethod.Zstd);

    /// <summary>The folder of configuration files that lie outside the data directory, as a tar.</summary>
    public static string ConfigurationKey(BackupName name) => FolderOf(name) + "pgbackup_config.tar" + CompressionNames.Extension(CompressionMethod.Zstd);

    /// <summary>The folder of the tar parts, with its slash. wal-g takes every object directly in it for a tar.</summary>
    public static string PartFolder(BackupName name) => FolderOf(name) + "tar_partitions/";

    /// <summary>A data part; numbered from 1.</summary>
    public static string PartKey(BackupName name, int number, CompressionMethod method) =>
        $"{PartFolder(name)}part_{number:D3}.tar{CompressionNames.Extension(method)}";

    /// <summary>The part that holds the control file.</summary>
    public static string ControlPartKey(BackupName name, CompressionMethod method) =>
        $"{PartFolder(name)}pg_control.tar{CompressionNames.Extension(method)}";

    /// <summary>The part that holds backup_label and tablespace_map.</summary>
    public static string LabelPartKey(BackupName name, CompressionMethod method) =>
        $"{PartFolder(name)}backup_label.tar{CompressionNames.Extension(method)}";

    /// <summary>The object of a WAL file.</summary>
    public static string WalKey(string fileName, CompressionMethod method) => WalFolder + fileName + CompressionNames.Extension(method);
}
