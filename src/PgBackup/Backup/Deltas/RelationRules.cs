using PgBackup.Backup.Reading;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Postgres;
using PgBackup.Postgres.Files;

namespace PgBackup.Backup.Deltas;

/// <summary>Which files are rows of pages whose LSNs can be trusted, and what the page scan cannot see.</summary>
internal sealed class RelationRules(DeltaParent parent, UnchangedFiles unchanged, string dataDirectory)
{
    private string _folder = "";
    private bool _isRecreated;

    /// <summary>
    /// True for a file of a relation's main fork in a database. What only looks like one (SLRU files have such names, too) is none; files of the shared catalogues are
    /// small, and whole in wal-g's deltas also.
    /// </summary>
    public static bool IsPaged(FileFacts facts, RelationPath relation, ClusterTraits traits) =>
        relation is { Kind: DataFileKind.Relation, Fork: RelationFork.Main } && relation.Tablespace != RelationPath.GlobalTablespace
        && traits.BlockSize == PageHeader.DefaultPageSize
        && facts.Size > 0 && facts.Size % PageHeader.DefaultPageSize == 0;

    /// <summary>
    /// True for a file of a database that was made anew since the parent: copied from its template (STRATEGY FILE_COPY) its pages have old LSNs, and its OID may be that of
    /// another that is gone. PG_VERSION is written when a database is made or moved, and never again. Asked for the files of one folder after the other.
    /// </summary>
    public bool IsOfNewDatabase(DataDirectoryEntry entry)
    {
        string folder = entry.MemberName[..entry.MemberName.LastIndexOf('/')];
        if (folder == _folder)
            return _isRecreated;
        _folder = folder;
        foreach (string place in PlacesOf(folder))
        {
            if (FactsOf(place + "/PG_VERSION") is not { } facts)
                continue;
            _isRecreated = parent.Files.Find(place + "/PG_VERSION") is not { } known
                || !(UnchangedFiles.IsSameTime(facts.Modified, known.Modified) || unchanged.IsOlder(facts));
            return _isRecreated;
        }
        return _isRecreated = true;
    }

    /// <summary>The folders in which the database's PG_VERSION may be: in its tables' folders of other tablespaces there is none, only in that of its own.</summary>
    private IEnumerable<string> PlacesOf(string folder)
    {
        yield return folder;
        string database = folder[folder.LastIndexOf('/')..];
        yield return "/base" + database;
        foreach (string link in Directory.EnumerateFileSystemEntries(Path.Combine(dataDirectory, "pg_tblspc")))
        {
            string[] versions = Directory.Exists(link) ? Directory.GetDirectories(link, "PG_*") : [];
            foreach (string version in versions)
                yield return $"/pg_tblspc/{Path.GetFileName(link)}/{Path.GetFileName(version)}{database}";
        }
    }

    private FileFacts? FactsOf(string member)
    {
        string path = dataDirectory + member;
        try
        {
            return Posix.FactsOf(path, followLinks: true);
        }
        catch (IOException error)
        {
            throw PgErrors.DataFileUnreadable(path, error);
        }
    }
}
