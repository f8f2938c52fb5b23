using PgBackup.Repository;

namespace PgBackup.Wal.Status;

/// <summary>
/// Finds the newest segment of the server's timeline in the repository by asking for names: from what the server archived last forwards in steps that double, or from the server's
/// end backwards, then by halves. An archive without gaps is searched so in a few dozen questions however big it is. What is found in one with gaps has nothing right behind it
/// (Test-PgWalArchive looks for gaps). Only where no name is there at all is the archive listed.
/// </summary>
internal sealed class NewestSegmentSearch
{
    private readonly BackupRepository _repository;
    private readonly ServerFacts _server;
    private readonly Dictionary<long, ArchivedWalFile?> _asked = [];

    public NewestSegmentSearch(BackupRepository repository, ServerFacts server)
    {
        _repository = repository;
        _server = server;
    }

    /// <summary>Whether the archive may be listed where no name was found; not where pieces tell that its first whole segment is to come.</summary>
    public bool MayList { get; init; } = true;

    /// <summary>How many names were asked for.</summary>
    public int Questions => _asked.Count;

    /// <summary>Null when the archive has no segment of the timeline. Throws what the store throws.</summary>
    public async Task<ArchivedWalFile?> FindAsync(CancellationToken cancellationToken)
    {
        long end = (long)_server.CurrentSegment.NumberFor(_server.SegmentSize);
        long start = WalFileName.TryParse(_server.Archiver.LastArchived, out WalFileName? last) && last is { Kind: WalFileKind.Segment } && last.Timeline == _server.Timeline
            ? Math.Min((long)last.Segment!.Value.NumberFor(_server.SegmentSize), end)
            : Math.Max(end - 1, 0);
        if (await AskAsync(start, cancellationToken).ConfigureAwait(false) is not null)
            return await ForwardsAsync(start, end, cancellationToken).ConfigureAwait(false);
        long absent = start;
        for (long step = 1; start - step >= 0; step *= 2)
        {
            if (await AskAsync(start - step, cancellationToken).ConfigureAwait(false) is not null)
                return await BetweenAsync(start - step, absent, cancellationToken).ConfigureAwait(false);
            absent = start - step;
        }
        return !MayList ? null : await ByListingAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task<ArchivedWalFile?> ForwardsAsync(long present, long end, CancellationToken cancellationToken)
    {
        for (long step = 1; present < end; step *= 2)
        {
            long next = Math.Min(present + step, end);
            if (await AskAsync(next, cancellationToken).ConfigureAwait(false) is null)
                return await BetweenAsync(present, next, cancellationToken).ConfigureAwait(false);
            present = next;
        }
        return await AskAsync(present, cancellationToken).ConfigureAwait(false);
    }

    private async Task<ArchivedWalFile?> BetweenAsync(long present, long absent, CancellationToken cancellationToken)
    {
        while (absent - present > 1)
        {
            long middle = present + ((absent - present) / 2);
            if (await AskAsync(middle, cancellationToken).ConfigureAwait(false) is null)
                absent = middle;
            else
                present = middle;
        }
        return await AskAsync(present, cancellationToken).ConfigureAwait(false);
    }

    private async Task<ArchivedWalFile?> AskAsync(long number, CancellationToken cancellationToken)
    {
        if (_asked.TryGetValue(number, out ArchivedWalFile? known))
            return known;
        WalFileName.TryParse(WalSegmentName.Of(_server.Timeline, (ulong)number, _server.SegmentSize).ToString(), out WalFileName? file);
        IReadOnlyList<ArchivedWalFile> found = await WalArchive.FindAsync(_repository, file!, cancellationToken).ConfigureAwait(false);
        return _asked[number] = found.Count > 0 ? found[0] : null;
    }

    private async Task<ArchivedWalFile?> ByListingAsync(CancellationToken cancellationToken)
    {
        ArchivedWalFile? newest = null;
        await foreach (ArchivedWalFile item in WalArchive.ListAsync(_repository, cancellationToken).ConfigureAwait(false))
        {
            if (item.File is { Kind: WalFileKind.Segment, Segment: { } segment } && segment.Timeline == _server.Timeline
                && (newest is null || segment.CompareTo(newest.Value.File.Segment!.Value) > 0))
                newest = item;
        }
        return newest;
    }
}
