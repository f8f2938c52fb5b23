using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Restore.Fetching;

namespace PgBackup.Restore.Planning;

/// <summary>The WAL of a data directory that may be nowhere else: restoring in place empties pg_wal.</summary>
internal static class UnarchivedWal
{
    private const string ReadySuffix = ".ready";
    private const string DoneSuffix = ".done";

    /// <summary>
    /// Throws <c>WalNotArchived</c> when pg_wal holds what the repository does not have with the same content: a file that the server had ready for its archive (PostgreSQL
    /// documentation, "Continuous Archiving"; xlogarchive.c), or a segment that the last checkpoint asks recovery to read, archived by nobody: after a crash the current one, and
    /// whatever was written while archiving was off.
    /// </summary>
    public static async Task RequireNoneAsync(BackupRepository repository, string dataDirectory, CancellationToken cancellationToken)
    {
        string folder = Path.Combine(dataDirectory, "pg_wal");
        if (!Directory.Exists(folder))
            return;
        int count = 0;
        string? first = null;
        foreach (string name in (await ListAsync(dataDirectory, folder, cancellationToken).ConfigureAwait(false)).Order(StringComparer.Ordinal))
        {
            if (await IsArchivedAsync(repository, Path.Combine(folder, name), cancellationToken).ConfigureAwait(false))
                continue;
            count++;
            first ??= name;
        }
        if (first is not null)
            throw PgErrors.WalNotArchived(dataDirectory, first, count);
    }

    private static async Task<HashSet<string>> ListAsync(string dataDirectory, string folder, CancellationToken cancellationToken)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        string status = Path.Combine(folder, "archive_status");
        if (Directory.Exists(status))
        {
            foreach (string ready in Directory.EnumerateFiles(status, "*" + ReadySuffix))
            {
                string name = Path.GetFileName(ready)[..^ReadySuffix.Length];
                if (File.Exists(Path.Combine(folder, name)))
                    names.Add(name);
            }
        }
        if (await ReadControlAsync(dataDirectory, cancellationToken).ConfigureAwait(false) is not { } control)
            return names;
        ulong redo = control.WalSegmentSize.SegmentNumberOf(control.RedoLsn);
        foreach (string path in Directory.EnumerateFiles(folder))
        {
            string name = Path.GetFileName(path);
            if (!WalSegmentName.TryParse(name, out WalSegmentName segment) || segment.NumberFor(control.WalSegmentSize) < redo || File.Exists(Path.Combine(status, name + DoneSuffix)))
                continue;
            // After a clean stop nothing but the last checkpoint is in its segment; what a standby has received is its primary's.
            bool isRest = control.State == ClusterState.ShutDownInRecovery || (control.State == ClusterState.ShutDown && segment.NumberFor(control.WalSegmentSize) == redo);
            if (!isRest && IsWritten(path))
                names.Add(name);
        }
        return names;
    }

    // The one that is there: a restore that was cut off has moved it aside, or not yet written one.
    private static async Task<ControlFile?> ReadControlAsync(string dataDirectory, CancellationToken cancellationToken)
    {
        if (File.Exists(Path.Combine(dataDirectory, ControlFile.RelativePath)))
            return await ControlFile.ReadAsync(dataDirectory, cancellationToken).ConfigureAwait(false);
        string old = Path.Combine(dataDirectory, RestoreDestination.OldControlFile);
        return File.Exists(old) ? ControlFile.Parse(await File.ReadAllBytesAsync(old, cancellationToken).ConfigureAwait(false), old) : null;
    }

    // Segments that are kept to be used again have the address of what they were before, or none.
    private static bool IsWritten(string path)
    {
        try
        {
            LocalWalFile.Open(path).Dispose();
            return true;
        }
        catch (PgBackupException error) when (error.Id == "WalFileInvalid")
        {
            return false;
        }
    }

    private static async Task<bool> IsArchivedAsync(BackupRepository repository, string path, CancellationToken cancellationToken)
    {
        if (!WalFileName.TryParse(Path.GetFileName(path), out WalFileName? file))
            return false;
        IReadOnlyList<ArchivedWalFile> stored = await WalArchive.FindAsync(repository, file, cancellationToken).ConfigureAwait(false);
        if (stored.Count == 0)
            return false;
        LocalWalFile local;
        try
        {
            local = LocalWalFile.Open(path);
        }
        catch (PgBackupException error) when (error.Id == "WalFileInvalid")
        {
            return true; // It could not be archived, and the repository has one.
        }
        using (local)
            return await StoredWalJudge.JudgeAsync(repository, stored[0], local, cancellationToken).ConfigureAwait(false) == StoredWalState.Same;
    }
}
