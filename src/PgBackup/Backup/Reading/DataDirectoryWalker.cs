using System.Globalization;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Postgres.Files;

namespace PgBackup.Backup.Reading;

/// <summary>
/// Lists what of a data directory goes into a backup, folder by folder while the server changes it. A million files are a normal cluster: nothing is
/// held but the names of one folder's unlogged relations. Symbolic links are followed: a link has no meaning in another place, its content has.
/// </summary>
internal sealed class DataDirectoryWalker
{
    private const string ControlFileMember = "/global/pg_control";

    // A directory of data is three deep; a deeper one is a loop of links.
    private const int DepthLimit = 40;

    private static readonly EnumerationOptions s_everything = new() { AttributesToSkip = 0, IgnoreInaccessible = false };

    private readonly string _root;
    private readonly IOperationLog _log;

    public DataDirectoryWalker(string dataDirectory, IOperationLog log)
    {
        _root = Path.TrimEndingDirectorySeparator(dataDirectory);
        _log = log;
    }

    /// <summary>All entries, a folder before its content. The control file is not among them: it is read last, apart.</summary>
    public IEnumerable<DataDirectoryEntry> Walk()
    {
        FileFacts facts = FactsOf(_root, followLinks: true) ?? throw PgErrors.DataDirectoryNotFound(_root);
        yield return new DataDirectoryEntry(_root, "/", true, facts);
        foreach (DataDirectoryEntry entry in WalkFolder(_root, "", 0))
            yield return entry;
    }

    private IEnumerable<DataDirectoryEntry> WalkFolder(string folder, string memberPrefix, int depth)
    {
        if (depth > DepthLimit)
            throw PgErrors.DataDirectoryLoop(folder);
        HashSet<uint> unlogged = UnloggedRelationsIn(folder, memberPrefix);
        bool isTablespaceFolder = memberPrefix == "/pg_tblspc";
        foreach (string path in EntriesOf(folder))
        {
            string name = Path.GetFileName(path);
            string member = $"{memberPrefix}/{name}";
            if (member == ControlFileMember)
                continue;
            if (name.Contains('\uFFFD', StringComparison.Ordinal))
            {
                _log.Warning($"The file '{path}' was left out: its name is not UTF-8. PostgreSQL makes no such files; move it out of the data directory.");
                continue;
            }
            if (FactsOf(path, followLinks: false) is not { } facts)
                continue; // Vanished since it was listed.
            bool behindLink = facts.IsLink;
            if (behindLink)
            {
                if (FactsOf(path, followLinks: true) is not { } target)
                {
                    _log.Warning($"The symbolic link '{path}' was left out: it leads nowhere.");
                    continue;
                }
                facts = target;
            }

            if (facts.IsDirectory)
            {
                // WAL-G stores neither the link of a tablespace nor the folder that it leads to, only what lies within.
                if (!isTablespaceFolder || !IsOid(name))
                    yield return new DataDirectoryEntry(path, member, true, facts);
                if (ExclusionRules.LeavesOutContentOf(name))
                    continue;
                foreach (DataDirectoryEntry entry in WalkFolder(path, member, depth + 1))
                    yield return entry;
            }
            else if (!facts.IsRegular)
            {
                _log.Verbose($"'{path}' was left out: it is neither a file nor a folder.");
            }
            else if (!ExclusionRules.LeavesOut(name, atTop: depth == 0) && !IsRebuiltByServer(member, unlogged))
            {
                yield return new DataDirectoryEntry(path, member, false, facts);
            }
        }
    }

    /// <summary>Temporary relations, and every fork but the init fork of unlogged ones, which recovery resets.</summary>
    private static bool IsRebuiltByServer(string member, HashSet<uint> unlogged)
    {
        RelationPath relation = RelationPath.Classify(member[1..]);
        return relation.Kind switch
        {
            DataFileKind.TemporaryRelation => true,
            DataFileKind.Relation => relation.Fork != RelationFork.Init && unlogged.Contains(relation.FileNode),
            _ => false,
        };
    }

    private static HashSet<uint> UnloggedRelationsIn(string folder, string memberPrefix)
    {
        var found = new HashSet<uint>();
        if (!memberPrefix.StartsWith("/base/", StringComparison.Ordinal) && !memberPrefix.StartsWith("/pg_tblspc/", StringComparison.Ordinal))
            return found;
        foreach (string path in EntriesOf(folder, "*_init"))
        {
            string name = Path.GetFileName(path);
            if (uint.TryParse(name.AsSpan(0, name.Length - "_init".Length), NumberStyles.None, CultureInfo.InvariantCulture, out uint node))
                found.Add(node);
        }
        return found;
    }

    /// <summary>The entries of a folder; none when it vanished (a database was dropped).</summary>
    private static IEnumerable<string> EntriesOf(string folder, string pattern = "*")
    {
        IEnumerator<string> entries;
        try
        {
            entries = Directory.EnumerateFileSystemEntries(folder, pattern, s_everything).GetEnumerator();
        }
        catch (DirectoryNotFoundException)
        {
            yield break;
        }
        catch (Exception error) when (error is UnauthorizedAccessException or IOException)
        {
            throw PgErrors.DataFileUnreadable(folder, error);
        }
        using (entries)
        {
            while (true)
            {
                try
                {
                    if (!entries.MoveNext())
                        yield break;
                }
                catch (DirectoryNotFoundException)
                {
                    yield break;
                }
                catch (Exception error) when (error is UnauthorizedAccessException or IOException)
                {
                    throw PgErrors.DataFileUnreadable(folder, error);
                }
                yield return entries.Current;
            }
        }
    }

    private static FileFacts? FactsOf(string path, bool followLinks)
    {
        try
        {
            return Posix.FactsOf(path, followLinks);
        }
        catch (IOException error)
        {
            throw PgErrors.DataFileUnreadable(path, error);
        }
    }

    private static bool IsOid(string name) => uint.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out _);
}
