using PgBackup.Backup.Reading;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Postgres;
using PgBackup.Postgres.Files;

namespace PgBackup.Backup.Deltas;

/// <summary>Which files are rows of pages whose LSNs can be trusted, and what the page scan cannot see.</summary>
internal sealed class RelationRules(DeltaParent parent, UnchangedFiles unchanged, ClusterTraits traits)
{
    private string _database = "";
    private bool _isRecreated;

    /// <summary>
    /// True for a file of a relation's main fork in a database. What only looks like one (SLRU files have such names, too) is none; files of the shared catalogues are
    /// small, and whole in wal-g's deltas also.
    /// </summary>
    public bool IsPaged(DataDirectoryEntry entry, RelationPath relation) =>
        relation is { Kind: DataFileKind.Relation, Fork: RelationFork.Main } && relation.Tablespace != RelationPath.GlobalTablespace
        && traits.BlockSize == PageHeader.DefaultPageSize
        && entry.Facts.Size > 0 && entry.Facts.Size % PageHeader.DefaultPageSize == 0;

    /// <summary>
    /// True for a file of a database that was made anew since the parent: copied from its template (STRATEGY FILE_COPY) its pages have old LSNs, and its OID may be that of
    /// another that is gone. PG_VERSION is written when a database is made or moved, and never again. Asked for the files of one folder after the other.
    /// </summary>
    public bool IsOfNewDatabase(DataDirectoryEntry entry)
    {
        string folder = entry.MemberName[..entry.MemberName.LastIndexOf('/')];
        if (folder == _database)
            return _isRecreated;
        string path = Path.Combine(Path.GetDirectoryName(entry.Path)!, "PG_VERSION");
        FileFacts? facts;
        try
        {
            facts = Posix.FactsOf(path, followLinks: true);
        }
        catch (IOException error)
        {
            throw PgErrors.DataFileUnreadable(path, error);
        }
        _isRecreated = facts is not { } now || parent.Files.Find(folder + "/PG_VERSION") is not { } known
            || !(UnchangedFiles.IsSameTime(now.Modified, known.Modified) || unchanged.IsOlder(now));
        _database = folder;
        return _isRecreated;
    }
}
