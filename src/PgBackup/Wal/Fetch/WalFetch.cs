using System.Diagnostics;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Repository.Pieces;

namespace PgBackup.Wal.Fetch;

/// <summary>Takes WAL files out of the archive: what <c>restore_command</c> does.</summary>
public static class WalFetch
{
    /// <summary>
    /// Writes the file to <paramref name="destination"/> (a path, or a folder to put it into under its name), whole and durable or not at all; what is there is replaced.
    /// Where the archive holds the file more than once, an object that is damaged is passed over for one that is not. A segment that is not there whole is put together from its
    /// pieces as far as they go; one that is damaged, from pieces that hold all of it. Throws <c>WalFileNameInvalid</c>,
    /// <c>WalSegmentNotFound</c>, <c>ObjectDamaged</c>, <c>WalFileInvalid</c>, <c>EncryptionKeyInvalid</c>, <c>ClusterIdentityMismatch</c>,
    /// <c>WalDestinationUnwritable</c>, and what the store throws.
    /// </summary>
    /// <param name="repository">Where from.</param>
    /// <param name="name">The file's name.</param>
    /// <param name="destination">A full path.</param>
    /// <param name="log">Where to say what is done.</param>
    /// <param name="cancellationToken">Stops it; nothing half-written is left.</param>
    public static Task<WalFetchResult> FetchAsync(
        BackupRepository repository, string name, string destination, IOperationLog? log = null, CancellationToken cancellationToken = default) =>
        FetchFileAsync(new WalFileWriter(repository), name, destination, isAhead: false, log, cancellationToken);

    /// <summary>
    /// As <see cref="FetchAsync"/>, for what is kept until it is asked for: what is there in pieces only is not there, because more of it may come, and whether the writer makes it durable is
    /// the caller's business.
    /// </summary>
    internal static Task<WalFetchResult> FetchAheadAsync(WalFileWriter writer, string name, string destination, IOperationLog? log, CancellationToken cancellationToken) =>
        FetchFileAsync(writer, name, destination, isAhead: true, log, cancellationToken);

    private static async Task<WalFetchResult> FetchFileAsync(
        WalFileWriter writer, string name, string destination, bool isAhead, IOperationLog? log, CancellationToken cancellationToken)
    {
        BackupRepository repository = writer.Repository;
        long start = Stopwatch.GetTimestamp();
        log ??= OperationLog.None;
        if (!WalFileName.TryParse(name, out WalFileName? file))
            throw PgErrors.WalFileNameInvalid(name);
        string target = Directory.Exists(destination) ? Path.Combine(destination, file.Name) : destination;
        PgBackupException? failure = null, vanished = null, torn = null;
        IReadOnlyList<ArchivedWalFile> found = await FindAsync(repository, file, cancellationToken).ConfigureAwait(false);
        if (!isAhead && found.Count == 0 && file.Kind == WalFileKind.Segment)
        {
            try
            {
                if (await TryFetchPiecesAsync(writer, file, target, start, log, cancellationToken).ConfigureAwait(false) is { } result)
                    return result;
            }
            catch (PgBackupException error) when (WalPieceReader.IsShort(error))
            {
                torn = error;
            }
            // A receiver may have stored the whole segment and deleted the pieces in between.
            found = await WalArchive.FindAsync(repository, file, cancellationToken).ConfigureAwait(false);
        }
        foreach (ArchivedWalFile stored in found)
        {
            try
            {
                Stream content = await repository.OpenDecodedAsync(stored.Object.Key, cancellationToken).ConfigureAwait(false);
                await using (content.ConfigureAwait(false))
                {
                    long size = await writer.WriteAsync(file, stored.Object.Key, content, target, cancellationToken).ConfigureAwait(false);
                    return Result(repository, file, target, size, start, stored.Object.Key, end: null);
                }
            }
            catch (PgBackupException error) when (error.Id is "ObjectDamaged" or "EncryptionKeyInvalid" or "WalFileInvalid" or "ClusterIdentityMismatch")
            {
                log.Warning($"The object '{stored.Object.Key}' cannot be used: {error.Message}");
                failure ??= error;
            }
            catch (PgBackupException error) when (error.Id == "ObjectNotFound")
            {
                log.Debug($"The object '{stored.Object.Key}' vanished before it was read.");
                // Not "not there", which ends a recovery: this is tried again, and what was really deleted is then not found at all.
                vanished = PgErrors.ObjectChanged(repository.Location, stored.Object.Key, error);
            }
        }
        if (!isAhead && failure is not null && file.Kind == WalFileKind.Segment && await TryFetchWholeFromPiecesAsync(writer, file, target, start, log, cancellationToken).ConfigureAwait(false) is { } mended)
            return mended;
        // What could be opened has proven its key. For what could not, or is not there, the key is asked first: "not there" ends a recovery, a wrong key must not.
        if ((failure ?? torn) is null)
            await RepositoryEncryption.ProveRecordedAsync(repository, cancellationToken).ConfigureAwait(false);
        else
            await RepositoryEncryption.ProveAsync(repository, cancellationToken).ConfigureAwait(false);
        throw failure ?? vanished ?? torn ?? PgErrors.WalSegmentNotFound(repository.Location, file.Name);
    }

    private static async Task<IReadOnlyList<ArchivedWalFile>> FindAsync(BackupRepository repository, WalFileName file, CancellationToken cancellationToken)
    {
        IReadOnlyList<ArchivedWalFile> found = await WalArchive.FindAsync(repository, file, cancellationToken).ConfigureAwait(false);
        if (found.Count == 0)
        {
            // "Not there" ends a recovery; a repository that is not there (a disk not mounted) must not. Listing tells the one from the other.
            await foreach (string _ in repository.Store.ListFoldersAsync("", cancellationToken).ConfigureAwait(false))
                return found;
            throw PgErrors.RepositoryNotFound(repository.Location);
        }
        return found;
    }

    private static async Task<WalFetchResult?> TryFetchPiecesAsync(
        WalFileWriter writer, WalFileName file, string target, long start, IOperationLog log, CancellationToken cancellationToken, bool mustBeWhole = false)
    {
        BackupRepository repository = writer.Repository;
        WalSegmentName segment = file.Segment!.Value;
        if (await FindClusterAsync(repository, segment, target, cancellationToken).ConfigureAwait(false) is not { } cluster)
            return null;
        if (await WalPieceReader.TryOpenAsync(repository, cluster, segment, log, cancellationToken).ConfigureAwait(false) is { } assembled)
        {
            await using (assembled.Content.ConfigureAwait(false))
            {
                string key = WalPiece.FolderOf(cluster, segment);
                var segmentSize = new WalSegmentSize(checked((int)assembled.Content.Length));
                if (mustBeWhole && assembled.End < segment.NextFor(segmentSize).StartFor(segmentSize))
                    return null;
                long size = await writer.WriteAsync(file, key, assembled.Content, target, cancellationToken).ConfigureAwait(false);
                log.Verbose($"The segment {file.Name} is not there whole, or damaged; its pieces reach to {assembled.End}.");
                return Result(repository, file, target, size, start, key, assembled.End);
            }
        }
        return null;
    }

    // In place of a whole segment that is damaged only pieces will do that hold all of it: zeros behind their end would be taken for the end of the log.
    private static async Task<WalFetchResult?> TryFetchWholeFromPiecesAsync(
        WalFileWriter writer, WalFileName file, string target, long start, IOperationLog log, CancellationToken cancellationToken)
    {
        try
        {
            return await TryFetchPiecesAsync(writer, file, target, start, log, cancellationToken, mustBeWhole: true).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (WalPieceReader.IsShort(error) || error.Id is "WalFileInvalid" or "ClusterIdentityMismatch" or "WalClusterAmbiguous")
        {
            log.Verbose($"Nor do pieces give the segment {file.Name}: {error.Message}");
            return null;
        }
    }

    /// <summary>The cluster whose pieces are wanted: that of the data directory that the destination is in, else the only one that has pieces of the segment.</summary>
    private static async Task<ulong?> FindClusterAsync(BackupRepository repository, WalSegmentName segment, string target, CancellationToken cancellationToken)
    {
        List<ulong> clusters = await WalPieces.ListClustersAsync(repository, cancellationToken).ConfigureAwait(false);
        if (clusters.Count < 2)
            return clusters.Count == 0 ? null : clusters[0];
        // "pg_wal/RECOVERYXLOG", as the server names it.
        string? pgWal = Path.GetDirectoryName(Path.GetFullPath(target));
        if (pgWal is not null && Path.GetFileName(pgWal) == "pg_wal" && Path.GetDirectoryName(pgWal) is { } dataDirectory
            && File.Exists(Path.Combine(dataDirectory, "global", "pg_control")))
        {
            ControlFile control = await ControlFile.ReadAsync(dataDirectory, cancellationToken).ConfigureAwait(false);
            return clusters.Contains(control.SystemIdentifier) ? control.SystemIdentifier : null;
        }
        var holders = new List<ulong>();
        foreach (ulong cluster in clusters)
        {
            if ((await WalPieces.ListAsync(repository, cluster, segment, cancellationToken).ConfigureAwait(false)).Count > 0)
                holders.Add(cluster);
        }
        return holders.Count switch
        {
            0 => null,
            1 => holders[0],
            _ => throw PgErrors.WalPiecesAmbiguous(repository.Location, segment.ToString(), holders),
        };
    }

    private static WalFetchResult Result(BackupRepository repository, WalFileName file, string target, long size, long start, string key, Lsn? end) => new()
    {
        Name = file.Name,
        Kind = file.Kind,
        Timeline = file.Timeline,
        Destination = target,
        Size = size,
        EndLsn = end,
        Duration = Stopwatch.GetElapsedTime(start),
        Repository = repository.Location,
        Key = key,
    };
}
