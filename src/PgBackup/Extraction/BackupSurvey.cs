using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Restore.Fetching;

namespace PgBackup.Extraction;

/// <summary>What a backup's list of files tells of its databases.</summary>
internal sealed class BackupSurvey
{
    private readonly Dictionary<uint, long> _bytes = [];
    private Dictionary<string, uint> _databases = new(StringComparer.Ordinal);
    private bool _sizesAreKnown = true;
    private long _files;

    private BackupSurvey()
    {
    }

    /// <summary>Whether it lists files at all, so that some can be left out.</summary>
    public bool ListsFiles => _files > 0;

    /// <summary>Whether it tells which files belong to which database, and which names those have.</summary>
    public bool TellsDatabases => ListsFiles && _databases.Count > 0;

    /// <summary>The OIDs by name.</summary>
    public IReadOnlyDictionary<string, uint> Databases => _databases;

    /// <summary>Reads the list of files of a backup; an empty survey when there is none. Throws <c>DocumentInvalid</c>.</summary>
    public static async Task<BackupSurvey> ReadAsync(BackupRepository repository, BackupName backup, CancellationToken cancellationToken)
    {
        var survey = new BackupSurvey();
        await FilesMetadataReader.TryReadDatabasesAsync(
            repository, RepositoryLayout.FilesMetadataKey(backup), survey.Take, (name, oid) => survey._databases[name] = oid, cancellationToken).ConfigureAwait(false);
        return survey;
    }

    /// <summary>The names were found elsewhere.</summary>
    public void Name(IReadOnlyDictionary<string, uint> databases) => _databases = new Dictionary<string, uint>(databases, StringComparer.Ordinal);

    /// <summary>The bytes of the files that a choice wants; null when the writer of the backup did not say.</summary>
    public long? BytesOf(DatabaseChoice choice)
    {
        if (!_sizesAreKnown)
            return null;
        long sum = 0;
        foreach ((uint oid, long bytes) in _bytes)
            sum += oid == 0 || choice.Includes(oid) ? bytes : 0;
        return sum;
    }

    private void Take(FileMetadata file)
    {
        _files++;
        if (MemberPath.Normalize(file.Name) is not { } relative)
            return;
        uint oid = DatabaseChoice.DatabaseOf(relative);
        _bytes[oid] = _bytes.GetValueOrDefault(oid) + (file.Size ?? 0);
        // Folders have none; a file of a relation has.
        if (file.Size is null && Postgres.Files.RelationPath.Classify(relative).IsPaged)
            _sizesAreKnown = false;
    }
}
