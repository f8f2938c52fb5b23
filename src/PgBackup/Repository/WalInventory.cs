using PgBackup.Codecs;
using PgBackup.Repository.Pieces;

namespace PgBackup.Repository;

/// <summary>
/// Which segments and histories the archive holds, from one listing: two words a segment, so that the ten million segments of a big archive fit into memory. And of which
/// segments it holds pieces, from another.
/// </summary>
public sealed class WalInventory
{
    // What a packed time counts from, in minutes: 24 bits of them last 31 years.
    private static readonly DateTimeOffset s_epoch = new(2015, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly Dictionary<TimelineId, SortedSegments> _timelines = [];
    private readonly List<TimelineId> _histories = [];
    private readonly List<ArchivedWalFile> _backupHistories = [];
    private IReadOnlyList<WalTail> _tails = [];

    private WalInventory()
    {
    }

    /// <summary>The timelines that have a history file, in order.</summary>
    public IReadOnlyList<TimelineId> Histories => _histories;

    /// <summary>The notes that base backups have left, in no promised order; few.</summary>
    public IReadOnlyList<ArchivedWalFile> BackupHistories => _backupHistories;

    /// <summary>The timelines that have segments, in order.</summary>
    public IEnumerable<TimelineId> Timelines => _timelines.Keys.Order();

    /// <summary>The timelines that have segments, or pieces of one, in order.</summary>
    public IEnumerable<TimelineId> TimelinesWithPieces => _timelines.Keys.Union(_tails.Select(t => t.Segment.Timeline)).Order();

    /// <summary>What there is in pieces of segments that are not there whole, in no promised order; few.</summary>
    internal IEnumerable<WalTail> Tails => _tails.Where(t => TailOf(t.Segment) == t);

    /// <summary>Lists the archive.</summary>
    public static async Task<WalInventory> LoadAsync(BackupRepository repository, CancellationToken cancellationToken = default)
    {
        // The pieces first: a receiver that gets on meanwhile stores the whole segment before it deletes them.
        var inventory = new WalInventory { _tails = await ListTailsAsync(repository, cancellationToken).ConfigureAwait(false) };
        await foreach (ArchivedWalFile item in WalArchive.ListAsync(repository, cancellationToken).ConfigureAwait(false))
            inventory.AddFile(item);
        inventory.Sort();
        return inventory;
    }

    /// <summary>The inventory of an archive that holds these objects, and no pieces.</summary>
    internal static WalInventory Of(IEnumerable<ArchivedWalFile> items)
    {
        var inventory = new WalInventory();
        foreach (ArchivedWalFile item in items)
            inventory.AddFile(item);
        inventory.Sort();
        return inventory;
    }

    /// <summary>Whether the segment is there, whole.</summary>
    public bool Contains(WalSegmentName segment) => Find(segment) is not null;

    /// <summary>The stored bytes of a segment; 0 when it is not there.</summary>
    public long SizeOf(WalSegmentName segment) => Find(segment)?.Size ?? 0;

    /// <summary>The object of a segment; null when it is not there. Of several the one that wal-g's fetch would take.</summary>
    public string? KeyOf(WalSegmentName segment) => Find(segment) is not { } entry ? null
        : KeyOf(segment, entry);

    /// <summary>What pieces hold of a segment that is not there whole; null when they hold nothing of it.</summary>
    public WalTail? TailOf(WalSegmentName segment)
    {
        WalTail? found = null;
        foreach (WalTail tail in _tails)
        {
            if (tail.Segment == segment && (found is null || tail.Modified > found.Modified))
                found = tail;
        }
        return found is null || Contains(segment) ? null : found;
    }

    /// <summary>The newest segment of a timeline, whole or in pieces; null when it has none.</summary>
    public WalSegmentName? NewestOf(TimelineId timeline, WalSegmentSize size)
    {
        WalSegmentName? newest = LastOf(timeline, size);
        foreach (WalTail tail in _tails)
        {
            if (tail.Segment.Timeline == timeline && (newest is null || tail.Segment.CompareTo(newest.Value) > 0))
                newest = tail.Segment;
        }
        return newest;
    }

    /// <summary>The newest whole segment of a timeline; null when it has none.</summary>
    public WalSegmentName? LastOf(TimelineId timeline, WalSegmentSize size) =>
        _timelines.TryGetValue(timeline, out SortedSegments? segments) && segments.Last is { } last
            ? WalSegmentName.Of(timeline, (last >> 32) * size.SegmentsPerLogId + (uint)last, size)
            : null;

    /// <summary>How many segments a timeline has, those that are there twice counted twice.</summary>
    internal int CountOf(TimelineId timeline) => _timelines.TryGetValue(timeline, out SortedSegments? segments) ? segments.Count : 0;

    /// <summary>The object at a place of a timeline.</summary>
    internal string KeyAt(TimelineId timeline, int place) => KeyOf(At(timeline, place), _timelines[timeline][place]);

    /// <summary>The objects at the places of a timeline from one to another.</summary>
    internal IEnumerable<string> KeysWithin(TimelineId timeline, int first, int last) => Enumerable.Range(first, last - first + 1).Select(place => KeyAt(timeline, place));

    /// <summary>The notes of backups in the segments at those places.</summary>
    internal IEnumerable<string> NotesWithin(TimelineId timeline, int first, int last) => _backupHistories
        .Where(n => n.File.Timeline == timeline && Contains(n.File.Segment!.Value) && PlaceOf(n.File.Segment.Value) is var place && place >= first && place <= last)
        .Select(static n => n.Object.Key);

    /// <summary>The stored bytes of the object at a place.</summary>
    internal long SizeAt(TimelineId timeline, int place) => _timelines[timeline][place].Size;

    /// <summary>How the object at a place is compressed.</summary>
    internal CompressionMethod MethodAt(TimelineId timeline, int place) => (CompressionMethod)_timelines[timeline][place].Method;

    /// <summary>When the object at a place was stored, cut to the minute.</summary>
    internal DateTimeOffset StoredTimeAt(TimelineId timeline, int place) => s_epoch.AddMinutes(_timelines[timeline][place].Minute);

    /// <summary>A timeline's segment by its place in their order.</summary>
    internal WalSegmentName At(TimelineId timeline, int place)
    {
        ulong number = _timelines[timeline][place].Number;
        return new WalSegmentName(timeline, (uint)(number >> 32), (uint)number);
    }

    /// <summary>The place of a segment, or of the first one behind it.</summary>
    internal int PlaceOf(WalSegmentName segment) =>
        _timelines.TryGetValue(segment.Timeline, out SortedSegments? segments) ? segments.PlaceOf(NumberOf(segment)) : 0;

    /// <summary>The same with the pieces of one cluster only.</summary>
    internal WalInventory WithPiecesOf(ulong cluster)
    {
        if (_tails.All(t => t.SystemIdentifier == cluster))
            return this;
        var part = new WalInventory { _tails = [.. _tails.Where(t => t.SystemIdentifier == cluster)] };
        part._histories.AddRange(_histories);
        part._backupHistories.AddRange(_backupHistories);
        foreach ((TimelineId timeline, SortedSegments segments) in _timelines)
            part._timelines[timeline] = segments;
        return part;
    }

    /// <summary>The same with some of the segments only.</summary>
    internal WalInventory Only(Func<TimelineId, int, bool> keep)
    {
        var part = new WalInventory { _tails = _tails };
        part._histories.AddRange(_histories);
        part._backupHistories.AddRange(_backupHistories);
        foreach ((TimelineId timeline, SortedSegments all) in _timelines)
        {
            var kept = new SortedSegments();
            for (int place = 0; place < all.Count; place++)
            {
                if (keep(timeline, place))
                    kept.Add(all[place]);
            }
            if (kept.Count > 0)
                part._timelines[timeline] = kept;
        }
        return part;
    }

    private static string KeyOf(WalSegmentName segment, Entry entry) =>
        RepositoryLayout.WalKey(segment.ToString(), (CompressionMethod)entry.Method) + (entry.HasDot ? "." : "");

    private static async Task<IReadOnlyList<WalTail>> ListTailsAsync(BackupRepository repository, CancellationToken cancellationToken)
    {
        var pieces = new List<WalPiece>();
        await foreach (WalPiece piece in WalPieces.ListAsync(repository, null, cancellationToken).ConfigureAwait(false))
            pieces.Add(piece);
        return [.. pieces.GroupBy(p => (p.SystemIdentifier, p.Segment)).Select(WalTail.Of).OfType<WalTail>()];
    }

    private static ulong NumberOf(WalSegmentName segment) => ((ulong)segment.LogId << 32) | segment.Segment;

    private Entry? Find(WalSegmentName segment) =>
        _timelines.TryGetValue(segment.Timeline, out SortedSegments? segments) ? segments.Find(NumberOf(segment)) : null;

    private void AddFile(ArchivedWalFile item)
    {
        if (item.File.Kind == WalFileKind.Segment)
            Add(item);
        else if (item.File.Kind == WalFileKind.History && !_histories.Contains(item.File.Timeline))
            _histories.Add(item.File.Timeline);
        else if (item.File.Kind == WalFileKind.BackupHistory)
            _backupHistories.Add(item);
    }

    private void Sort()
    {
        _histories.Sort();
        foreach (SortedSegments segments in _timelines.Values)
            segments.Sort();
    }

    private void Add(ArchivedWalFile item)
    {
        WalSegmentName segment = item.File.Segment!.Value;
        if (!_timelines.TryGetValue(segment.Timeline, out SortedSegments? segments))
            _timelines[segment.Timeline] = segments = new SortedSegments();
        bool hasDot = item.Method == CompressionMethod.None && item.Object.Key.EndsWith('.');
        segments.Add(new Entry(NumberOf(segment), (uint)Math.Min(item.Object.Size, uint.MaxValue), Pack(item.Method, hasDot, item.Object.LastModified)));
    }

    private static uint Pack(CompressionMethod method, bool hasDot, DateTimeOffset stored) =>
        ((uint)Math.Clamp((stored - s_epoch).TotalMinutes, 0, 0xFF_FFFF) << 8) | (hasDot ? 0x80u : 0) | (uint)method;

    /// <param name="Number">Log id and segment.</param>
    /// <param name="Size">The stored bytes.</param>
    /// <param name="Packed">From the top: the minute in which it was stored, whether the name ends with a dot, the method.</param>
    private readonly record struct Entry(ulong Number, uint Size, uint Packed)
    {
        public int Method => (int)(Packed & 0x7F);

        public bool HasDot => (Packed & 0x80) != 0;

        public uint Minute => Packed >> 8;
    }

    private sealed class SortedSegments
    {
        private static readonly int[] s_preference = Preference();
        private readonly List<Entry> _entries = [];

        public ulong? Last => _entries.Count == 0 ? null : _entries[^1].Number;

        public int Count => _entries.Count;

        public Entry this[int place] => _entries[place];

        public void Add(Entry entry) => _entries.Add(entry);

        public void Sort() => _entries.Sort(static (a, b) => a.Number != b.Number
            ? a.Number.CompareTo(b.Number)
            : s_preference[a.Method].CompareTo(s_preference[b.Method]));

        public Entry? Find(ulong number)
        {
            int place = PlaceOf(number);
            return place < _entries.Count && _entries[place].Number == number ? _entries[place] : null;
        }

        public int PlaceOf(ulong number)
        {
            int low = 0, high = _entries.Count;
            while (low < high)
            {
                int middle = (low + high) >>> 1;
                if (_entries[middle].Number < number)
                    low = middle + 1;
                else
                    high = middle;
            }
            return low;
        }

        private static int[] Preference()
        {
            int[] order = new int[Enum.GetValues<CompressionMethod>().Length];
            for (int i = 0; i < CompressionNames.Readable.Count; i++)
                order[(int)CompressionNames.Readable[i]] = i;
            return order;
        }
    }
}
