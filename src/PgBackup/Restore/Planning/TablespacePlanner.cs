using System.Globalization;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Repository.Documents;
using PgBackup.Restore.Fetching;

namespace PgBackup.Restore.Planning;

/// <summary>Where the tablespaces of a backup go, and whether they may.</summary>
internal static class TablespacePlanner
{
    /// <summary>
    /// The tablespaces with their folders. <paramref name="home"/> is the data directory that the backup was taken of. Throws <c>TablespaceMappingInvalid</c>,
    /// <c>TablespaceMappingRequired</c>, <c>DestinationNotEmpty</c>, <c>TablespaceInUse</c>.
    /// </summary>
    public static IReadOnlyList<RestoredTablespace> Map(IReadOnlyList<BackupTablespace> tablespaces, string? home, uint catalogVersion, RestoreRequest request)
    {
        foreach ((string old, string target) in request.TablespaceMapping)
        {
            if (!tablespaces.Any(t => t.Location == old))
            {
                string known = tablespaces.Count == 0 ? "it has none" : "they lay in " + string.Join(", ", tablespaces.Select(t => $"'{t.Location}'"));
                throw PgErrors.TablespaceMappingInvalid($"{old}={target}", $"the backup has no tablespace in '{old}' ({known}).");
            }
        }
        var result = new List<RestoredTablespace>(tablespaces.Count);
        foreach (BackupTablespace tablespace in tablespaces)
        {
            string target = request.TablespaceMapping.GetValueOrDefault(tablespace.Location, tablespace.Location);
            RequireApart(tablespace, target, request.DataDirectory!, result);
            if (Directory.Exists(target) && !IsEmpty(target))
                RequireOwned(tablespace, target, home, request);
            result.Add(new RestoredTablespace(tablespace.Oid, tablespace.Location, target) { CatalogVersion = catalogVersion });
        }
        RunningServers.RequireNotTheirs(request.DataDirectory!, result);
        return result;
    }

    /// <summary>
    /// True where a server runs beside that has tablespaces which the backup does not know: replay of their creation would write into their folders (tablespace.c, "create_tablespace_directories").
    /// </summary>
    public static bool MayHurtOthers(IReadOnlyList<BackupTablespace> known, RestoreRequest request) =>
        request.DataDirectory is { } directory && RunningServers.TablespacesBeside(directory).Any(owned => !known.Any(t => owned.Is(t.Location)));

    /// <summary>Throws <c>TablespaceInUse</c> when replay would make a tablespace in a folder of a server that runs beside.</summary>
    public static void RequireNoneOfOthers(RestorePlan plan, RestoreRequest request)
    {
        if (plan.NewTablespaces.Count == 0)
            return;
        foreach (OwnedFolder owned in RunningServers.TablespacesBeside(request.DataDirectory!))
        {
            if (plan.NewTablespaces.FirstOrDefault(owned.Is) is { } location)
                throw PgErrors.ReplayedTablespaceInUse(plan.Name, location, owned.DataDirectory);
        }
    }

    /// <summary>True for a folder with nothing in it. Throws <c>DestinationNotReplaceable</c> where that cannot be seen.</summary>
    public static bool IsEmpty(string directory)
    {
        try
        {
            return !Directory.EnumerateFileSystemEntries(directory).Any(e => Path.GetFileName(e) != "lost+found");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.DestinationNotReplaceable(directory, $"it cannot be read: {error.Message}");
        }
    }

    private static void RequireApart(BackupTablespace tablespace, string target, string directory, List<RestoredTablespace> others)
    {
        string mapping = $"{tablespace.Location}={target}";
        if (!Path.IsPathFullyQualified(target) || target.AsSpan().ContainsAny('\n', '\r', '\0'))
            throw PgErrors.TablespaceMappingInvalid(mapping, $"'{target}' is not an absolute path.");
        if (RealPath.Overlap(target, directory))
            throw PgErrors.TablespaceMappingInvalid(mapping, "a tablespace within the data directory, or around it, would be backed up twice and removed with it.");
        if (others.FirstOrDefault(t => RealPath.Overlap(t.Target, target)) is { } other)
        {
            throw PgErrors.TablespaceMappingInvalid(
                mapping, RealPath.Same(other.Target, target) ? "another tablespace goes to the same folder." : $"one folder lies in the other: another tablespace goes to '{other.Target}'.");
        }
    }

    private static void RequireOwned(BackupTablespace tablespace, string target, string? home, RestoreRequest request)
    {
        bool isMapped = request.TablespaceMapping.ContainsKey(tablespace.Location);
        if (!IsLinked(target, tablespace.Oid, request))
        {
            throw isMapped
                ? PgErrors.DestinationNotEmpty(target)
                : PgErrors.TablespaceMappingRequired(tablespace.Oid, tablespace.Location, "that folder is not empty: it may belong to a running server");
        }
        // A copy of a data directory has the original's links: what they lead to is the original's.
        if (!isMapped && (home is null || !RealPath.Same(home, request.DataDirectory!)))
        {
            throw PgErrors.TablespaceMappingRequired(
                tablespace.Oid, tablespace.Location,
                $"'{request.DataDirectory}' is not the data directory that the backup was taken of{(home is null ? "" : $" ('{home}')")}, which may have its files there still; where nothing else does, name that folder itself as the new one");
        }
    }

    /// <summary>True when the data directory that is replaced has the tablespace in this folder.</summary>
    private static bool IsLinked(string target, uint oid, RestoreRequest request)
    {
        if (!request.Force && !request.StopServer && !request.Delta)
            return false;
        string? link = new FileInfo(Path.Combine(request.DataDirectory!, "pg_tblspc", oid.ToString(CultureInfo.InvariantCulture))).LinkTarget;
        return link is not null && RealPath.Same(link, target);
    }
}
