using PgBackup.Errors;
using PgBackup.Postgres.WalRecords;
using PgBackup.Repository;
using PgBackup.Repository.Pieces;

namespace PgBackup.Wal.Status;

/// <summary>
/// The questions to the repository. The archive is not listed, which takes minutes where it has a million objects: names are asked for one by one, from what the server says
/// it archived last.
/// </summary>
internal static class RepositoryReader
{
    private static readonly TimeSpan s_again = TimeSpan.FromSeconds(1);

    /// <summary>Never throws what the repository does: that it cannot be asked is an answer.</summary>
    public static async Task<RepositoryFacts> ReadAsync(BackupRepository repository, ServerFacts server, CancellationToken cancellationToken)
    {
        var facts = new RepositoryFacts { Location = repository.Location };
        try
        {
            bool? holdsLast = WalFileName.TryParse(server.Archiver.LastArchived, out WalFileName? last)
                ? (await WalArchive.FindAsync(repository, last, cancellationToken).ConfigureAwait(false)).Count > 0
                : null;
            // The pieces first: a receiver that gets on meanwhile stores the whole segment before it deletes them.
            WalTail? tail = await NewestTailAsync(repository, server, cancellationToken).ConfigureAwait(false);
            var search = new NewestSegmentSearch(repository, server) { MayList = tail is null };
            ArchivedWalFile? newest = await search.FindAsync(cancellationToken).ConfigureAwait(false);
            return facts with
            {
                HoldsLastArchived = holdsLast,
                Newest = newest?.File.Segment,
                Tail = tail is null || newest?.File.Segment?.CompareTo(tail.Segment) >= 0 ? null : tail,
                TimelineStart = newest is null && tail is null ? await TimelineStartAsync(repository, server.Timeline, cancellationToken).ConfigureAwait(false) : null,
                NewestProblem = newest is { } found ? await NewestProblemAsync(repository, found, server.SystemIdentifier, cancellationToken).ConfigureAwait(false) : null,
                OldestBackupWithoutWal = await OldestBackupWithoutWalAsync(repository, server.SegmentSize, cancellationToken).ConfigureAwait(false),
            };
        }
        catch (PgBackupException error)
        {
            return facts with { Problem = $"{error.Message} {error.Hint}" };
        }
    }

    /// <summary>What pieces hold of the newest segment that has any: few objects, of segments that are not whole yet.</summary>
    private static async Task<WalTail?> NewestTailAsync(BackupRepository repository, ServerFacts server, CancellationToken cancellationToken)
    {
        var pieces = new List<WalPiece>();
        await foreach (WalPiece piece in WalPieces.ListAsync(repository, server.SystemIdentifier, cancellationToken).ConfigureAwait(false))
        {
            if (piece.Segment.Timeline == server.Timeline)
                pieces.Add(piece);
        }
        return pieces.GroupBy(p => p.Segment).Select(WalTail.Of).OfType<WalTail>().OrderBy(t => t.Segment).LastOrDefault();
    }

    // A command that copies onto the final name is seen at it: then a second look finds all of it.
    private static async Task<string?> NewestProblemAsync(BackupRepository repository, ArchivedWalFile newest, ulong cluster, CancellationToken cancellationToken)
    {
        if (await FindProblemAsync(repository, newest, cluster, cancellationToken).ConfigureAwait(false) is null)
            return null;
        await Task.Delay(s_again, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<ArchivedWalFile> now = await WalArchive.FindAsync(repository, newest.File, cancellationToken).ConfigureAwait(false);
        return await FindProblemAsync(repository, now.Count > 0 ? now[0] : newest, cluster, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<Lsn?> TimelineStartAsync(BackupRepository repository, TimelineId timeline, CancellationToken cancellationToken) =>
        timeline != TimelineId.First && await WalArchive.ReadHistoryAsync(repository, timeline, cancellationToken).ConfigureAwait(false) is { Switches: [.., var last] }
            ? last.SwitchPoint
            : null;

    /// <summary>Opens the object, decodes it to its end and looks at its first page. Says what is wrong; null when nothing is.</summary>
    public static async Task<string?> FindProblemAsync(BackupRepository repository, ArchivedWalFile item, ulong cluster, CancellationToken cancellationToken)
    {
        byte[] head = new byte[WalContent.HeadSize];
        try
        {
            Stream source = await repository.OpenDecodedAsync(item.Object.Key, cancellationToken).ConfigureAwait(false);
            await using (source.ConfigureAwait(false))
            {
                int inHead = await source.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
                long length = inHead;
                byte[] rest = new byte[256 * 1024];
                for (int read = inHead; read > 0; length += read)
                {
                    read = await source.ReadAsync(rest, cancellationToken).ConfigureAwait(false);
                    if (read == 0)
                        break;
                }
                if (WalContent.FindFault(item.File, head.AsSpan(0, inHead), length, out WalSegmentHeader? header) is { } fault)
                    return fault;
                return header is not null && header.SystemIdentifier != cluster
                    ? $"it was written by the cluster {header.SystemIdentifier}, and this server's is {cluster}."
                    : null;
            }
        }
        catch (PgBackupException error)
        {
            return error.Message;
        }
    }

    /// <summary>A backup's name tells the segment that its recovery begins with: one listing of names, nothing is read.</summary>
    private static async Task<BackupName?> OldestBackupWithoutWalAsync(BackupRepository repository, WalSegmentSize size, CancellationToken cancellationToken)
    {
        BackupName? oldest = null;
        await foreach ((BackupName name, _) in BackupCatalog.ListSentinelsAsync(repository, cancellationToken).ConfigureAwait(false))
        {
            if (oldest is null || name.Segment.NumberFor(size) < oldest.Segment.NumberFor(size))
                oldest = name;
        }
        if (oldest is null)
            return null;
        // A start at a segment's very first byte bears the name of the segment before (xlog_internal.h, XLByteToPrevSeg).
        return await IsThereAsync(oldest.Segment).ConfigureAwait(false) || await IsThereAsync(oldest.Segment.NextFor(size)).ConfigureAwait(false) ? null : oldest;

        async Task<bool> IsThereAsync(WalSegmentName segment) =>
            WalFileName.TryParse(segment.ToString(), out WalFileName? file) && (await WalArchive.FindAsync(repository, file, cancellationToken).ConfigureAwait(false)).Count > 0;
    }
}
