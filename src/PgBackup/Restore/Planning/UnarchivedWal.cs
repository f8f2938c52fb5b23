using PgBackup.Errors;
using PgBackup.Repository;

namespace PgBackup.Restore.Planning;

/// <summary>The WAL of a data directory that may be nowhere else: restoring in place empties pg_wal.</summary>
internal static class UnarchivedWal
{
    private const string ReadySuffix = ".ready";

    /// <summary>
    /// Throws <c>WalNotArchived</c> when pg_wal holds a file that the server had ready for its archive and that the repository does not have (PostgreSQL documentation,
    /// "Continuous Archiving"; xlogarchive.c).
    /// </summary>
    public static async Task RequireNoneAsync(BackupRepository repository, string dataDirectory, CancellationToken cancellationToken)
    {
        string folder = Path.Combine(dataDirectory, "pg_wal");
        string status = Path.Combine(folder, "archive_status");
        if (!Directory.Exists(status))
            return;
        int count = 0;
        string? first = null;
        foreach (string ready in Directory.EnumerateFiles(status, "*" + ReadySuffix))
        {
            string name = Path.GetFileName(ready)[..^ReadySuffix.Length];
            if (!File.Exists(Path.Combine(folder, name)) || await IsArchivedAsync(repository, name, cancellationToken).ConfigureAwait(false))
                continue;
            count++;
            first = first is null || string.CompareOrdinal(name, first) < 0 ? name : first;
        }
        if (first is not null)
            throw PgErrors.WalNotArchived(dataDirectory, first, count);
    }

    private static async Task<bool> IsArchivedAsync(BackupRepository repository, string name, CancellationToken cancellationToken) =>
        WalFileName.TryParse(name, out WalFileName? file) && (await WalArchive.FindAsync(repository, file, cancellationToken).ConfigureAwait(false)).Count > 0;
}
