using PgBackup.Postgres.Files;

namespace PgBackup.Repository;

/// <summary>
/// Which cluster wrote which part of the archive. After pg_upgrade or a fresh initdb a repository holds the log of two clusters under names that say nothing of it: both
/// have a timeline 1, and one's segments may follow the other's without a gap. What a segment's first page says is read where it matters: a cluster's segments on a timeline
/// lie together, so that the borders are found by halves.
/// </summary>
internal sealed class WalLineages
{
    // Behind a segment whose head cannot be read so many more are tried.
    private const int Patience = 8;
    private const int ReadsAtOnce = 8;

    private readonly BackupRepository _repository;
    private readonly WalInventory _inventory;
    private readonly Dictionary<TimelineId, List<Stretch>> _stretches = [];

    private WalLineages(BackupRepository repository, WalInventory inventory)
    {
        _repository = repository;
        _inventory = inventory;
    }

    /// <summary>The clusters that wrote the newest segment of a timeline, as far as that can be told.</summary>
    public IReadOnlySet<ulong> Writers { get; private set; } = new HashSet<ulong>();

    private bool IsOne => _stretches.Count == 0;

    /// <summary>
    /// Looks into the archive: at the newest segment of each timeline, and further only when more than one cluster turns up, here or among <paramref name="known"/>, those
    /// that have backups.
    /// </summary>
    public static async Task<WalLineages> ReadAsync(
        BackupRepository repository, WalInventory inventory, IReadOnlySet<ulong> known, CancellationToken cancellationToken)
    {
        var lineages = new WalLineages(repository, inventory);
        var newest = new Dictionary<TimelineId, ulong?>();
        var options = new ParallelOptions { MaxDegreeOfParallelism = ReadsAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(inventory.Timelines, options, async (timeline, token) =>
        {
            ulong? writer = await lineages.WriterAsync(timeline, inventory.CountOf(timeline) - 1, -1, token).ConfigureAwait(false);
            lock (newest)
                newest[timeline] = writer;
        }).ConfigureAwait(false);
        lineages.Writers = newest.Values.OfType<ulong>().ToHashSet();
        if (known.Count == 0 || (known.Count == 1 && newest.Values.All(w => w is null || known.Contains(w.Value))))
            return lineages;
        foreach ((TimelineId timeline, ulong? last) in newest)
        {
            ulong? first = await lineages.WriterAsync(timeline, 0, 1, cancellationToken).ConfigureAwait(false);
            var stretches = new List<Stretch> { new(0, first) };
            await lineages.SplitAsync(timeline, stretches, new Stretch(0, first), new Stretch(inventory.CountOf(timeline) - 1, last), cancellationToken).ConfigureAwait(false);
            lineages._stretches[timeline] = stretches;
        }
        return lineages;
    }

    /// <summary>The archive without what another cluster wrote. What cannot be told stays: reading it will tell.</summary>
    public WalInventory Of(ulong cluster) => IsOne ? _inventory : _inventory.Only((timeline, place) => IsOf(cluster, timeline, place));

    /// <summary>
    /// Whether a history file can be the cluster's: whether the log at the point where it says that the parent was left is. A file that nothing in the archive goes with is
    /// anybody's.
    /// </summary>
    public bool MayBeOf(ulong cluster, TimelineHistory history, WalSegmentSize size)
    {
        if (IsOne || history.Switches.Count == 0)
            return true;
        TimelineSwitch last = history.Switches[^1];
        var begin = WalSegmentName.Containing(history.Timeline, last.SwitchPoint, size);
        // The timeline's first segment begins with a copy of its parent's pages. Where that has gone, what is left of the timeline tells.
        int place = _inventory.PlaceOf(begin);
        if (place < _inventory.CountOf(history.Timeline))
            return IsOf(cluster, history.Timeline, place);
        // Nothing of the timeline is archived yet: its parent's log tells.
        WalSegmentName left = begin.On(last.Parent);
        int before = _inventory.PlaceOf(left.NextFor(size)) - 1;
        return before < 0 || IsOf(cluster, last.Parent, before);
    }

    /// <summary>Whether the segment at a place of a timeline may be the cluster's.</summary>
    public bool MayHold(ulong cluster, TimelineId timeline, int place) => IsOne || IsOf(cluster, timeline, place);

    private bool IsOf(ulong cluster, TimelineId timeline, int place)
    {
        List<Stretch> stretches = _stretches[timeline];
        int i = stretches.Count - 1;
        while (stretches[i].First > place)
            i--;
        return stretches[i].Writer is not { } writer || writer == cluster;
    }

    private async Task SplitAsync(TimelineId timeline, List<Stretch> stretches, Stretch low, Stretch high, CancellationToken cancellationToken)
    {
        if (low.Writer == high.Writer)
            return;
        if (high.First - low.First <= 1)
        {
            stretches.Add(high);
            return;
        }
        int place = low.First + ((high.First - low.First) / 2);
        ulong? writer = await WriterAsync(timeline, place, 1, cancellationToken).ConfigureAwait(false) ?? low.Writer;
        var middle = new Stretch(place, writer);
        await SplitAsync(timeline, stretches, low, middle, cancellationToken).ConfigureAwait(false);
        await SplitAsync(timeline, stretches, middle, high, cancellationToken).ConfigureAwait(false);
    }

    private async Task<ulong?> WriterAsync(TimelineId timeline, int place, int step, CancellationToken cancellationToken)
    {
        int count = _inventory.CountOf(timeline);
        for (int tries = 0; tries < Patience && place >= 0 && place < count; tries++, place += step)
        {
            string key = _inventory.KeyOf(_inventory.At(timeline, place))!;
            if (await WalArchive.TryReadHeaderAsync(_repository, key, cancellationToken).ConfigureAwait(false) is { } header)
                return header.SystemIdentifier;
        }
        return null;
    }

    /// <summary>From which place on, and by whom; null when that cannot be told.</summary>
    private readonly record struct Stretch(int First, ulong? Writer);
}
