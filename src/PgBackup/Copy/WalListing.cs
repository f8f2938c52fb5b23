using System.Globalization;
using PgBackup.Codecs;
using PgBackup.Repository;
using PgBackup.Storage;

namespace PgBackup.Copy;

/// <summary>An object of the archive that belongs to a segment: the segment itself, or what stands beside it.</summary>
/// <param name="Timeline">The timeline.</param>
/// <param name="Suffix">What follows the 24 digits, as a number of <see cref="WalListing"/>.</param>
/// <param name="Number">The last 16 digits.</param>
/// <param name="Size">The stored bytes.</param>
/// <param name="ModifiedTicks">When it was written, UTC ticks.</param>
internal readonly record struct WalItem(uint Timeline, int Suffix, ulong Number, long Size, long ModifiedTicks);

/// <summary>
/// Every object of an archive by one listing: segments under any codec, partial ones, notes of backups, and what wal-g puts beside a segment.
/// 32 bytes each, so that a million of them fit beside anything.
/// </summary>
internal sealed class WalListing
{
    private static readonly Comparer<WalItem> s_order = Comparer<WalItem>.Create(static (a, b) => (a.Timeline, a.Number, a.Suffix).CompareTo((b.Timeline, b.Number, b.Suffix)));

    private readonly List<WalItem> _items = [];
    private readonly List<Suffix> _suffixes = [];
    private readonly Dictionary<string, int> _suffixNumbers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, StoredObject> _histories = new(StringComparer.Ordinal);

    private WalListing()
    {
    }

    /// <summary>The objects of the timelines' history files, by key.</summary>
    public IReadOnlyDictionary<string, StoredObject> Histories => _histories;

    /// <summary>The timelines that have objects, in order.</summary>
    public IReadOnlyList<TimelineId> Timelines { get; private set; } = [];

    /// <summary>Whether there is nothing.</summary>
    public bool IsEmpty => _items.Count == 0 && _histories.Count == 0;

    /// <summary>Lists the archive; a repository that does not exist yet has an empty one.</summary>
    public static async Task<WalListing> LoadAsync(IObjectStore store, CancellationToken cancellationToken)
    {
        var listing = new WalListing();
        try
        {
            await foreach (StoredObject item in store.ListAsync(RepositoryLayout.WalFolder, recursive: false, cancellationToken).ConfigureAwait(false))
                listing.Add(item);
        }
        catch (Errors.PgBackupException error) when (error.Id == "RepositoryNotFound")
        {
            return listing;
        }
        listing._items.Sort(s_order);
        listing.Timelines = [.. listing._items.Select(static i => i.Timeline).Distinct().Select(static t => new TimelineId(t))];
        return listing;
    }

    /// <summary>The number that orders segments of any timeline.</summary>
    public static ulong NumberOf(WalSegmentName segment) => ((ulong)segment.LogId << 32) | segment.Segment;

    /// <summary>The timeline of a history file's object.</summary>
    public static TimelineId TimelineOfHistory(string key) =>
        new(uint.Parse(key.AsSpan(RepositoryLayout.WalFolder.Length, 8), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));

    /// <summary>The object's name in a listing.</summary>
    public StoredObject ObjectOf(WalItem item) =>
        new(string.Create(CultureInfo.InvariantCulture, $"{RepositoryLayout.WalFolder}{item.Timeline:X8}{item.Number:X16}{_suffixes[item.Suffix].Text}"), item.Size, new DateTimeOffset(item.ModifiedTicks, TimeSpan.Zero));

    /// <summary>The object of a key; false when it is not listed, or is a history file.</summary>
    public bool TryFind(string key, out WalItem item)
    {
        item = default;
        ReadOnlySpan<char> name = key.AsSpan(RepositoryLayout.WalFolder.Length);
        if (name.Length < WalSegmentName.Length || !WalSegmentName.TryParse(name[..WalSegmentName.Length], out WalSegmentName segment)
            || !_suffixNumbers.TryGetValue(name[WalSegmentName.Length..].ToString(), out int suffix))
            return false;
        foreach (WalItem found in Between(segment.Timeline, NumberOf(segment), NumberOf(segment)))
        {
            if (found.Suffix == suffix)
            {
                item = found;
                return true;
            }
        }
        return false;
    }

    /// <summary>Whether a whole segment is there: under a codec's name, and without one not shorter than a segment is.</summary>
    public bool Holds(WalSegmentName segment, WalSegmentSize size)
    {
        for (int i = FirstAt(segment.Timeline.Value, NumberOf(segment)); i < _items.Count && IsOf(_items[i], segment); i++)
        {
            Suffix suffix = _suffixes[_items[i].Suffix];
            if (suffix.IsSegment && _items[i].Size >= (suffix.IsPlain ? size.Bytes : 1))
                return true;
        }
        return false;
    }

    /// <summary>The objects of a timeline's segments from one number to another, both included.</summary>
    public IEnumerable<WalItem> Between(TimelineId timeline, ulong first, ulong last)
    {
        for (int i = FirstAt(timeline.Value, first); i < _items.Count && _items[i].Timeline == timeline.Value && _items[i].Number <= last; i++)
            yield return _items[i];
    }

    /// <summary>The objects of one segment that hold the same WAL file as <paramref name="other"/> of another listing, the one of the same name first.</summary>
    public IEnumerable<StoredObject> SameFile(WalListing otherListing, WalItem other)
    {
        Suffix wanted = otherListing._suffixes[other.Suffix];
        StoredObject? same = null;
        List<StoredObject>? spellings = null;
        for (int i = FirstAt(other.Timeline, other.Number); i < _items.Count && _items[i].Timeline == other.Timeline && _items[i].Number == other.Number; i++)
        {
            Suffix suffix = _suffixes[_items[i].Suffix];
            if (suffix.Text == wanted.Text)
                same = ObjectOf(_items[i]);
            else if (suffix.Stem == wanted.Stem)
                (spellings ??= []).Add(ObjectOf(_items[i]));
        }
        return same is { } first ? [first] : spellings ?? [];
    }

    private static bool IsOf(WalItem item, WalSegmentName segment) => item.Timeline == segment.Timeline.Value && item.Number == NumberOf(segment);

    private void Add(StoredObject item)
    {
        ReadOnlySpan<char> name = item.Key.AsSpan(RepositoryLayout.WalFolder.Length);
        if (name.Length >= WalSegmentName.Length && WalSegmentName.TryParse(name[..WalSegmentName.Length], out WalSegmentName segment))
            _items.Add(new WalItem(segment.Timeline.Value, NumberOfSuffix(name[WalSegmentName.Length..].ToString()), NumberOf(segment), item.Size, item.LastModified.UtcTicks));
        else if (CompressionNames.TrySplit(name.ToString(), out string stem, out _) && WalFileName.TryParse(stem, out WalFileName? file) && file.Kind == WalFileKind.History)
            _histories[item.Key] = item;
    }

    private int NumberOfSuffix(string text)
    {
        if (_suffixNumbers.TryGetValue(text, out int number))
            return number;
        // What is no codec's extension belongs to the stem; a name that is all extension has none.
        if (!CompressionNames.TrySplit("x" + text, out string stem, out CompressionMethod method))
            (stem, method) = ("x" + text, CompressionMethod.None);
        _suffixes.Add(new Suffix(text, stem[1..], stem.Length == 1, method == CompressionMethod.None));
        _suffixNumbers[text] = _suffixes.Count - 1;
        return _suffixes.Count - 1;
    }

    private int FirstAt(uint timeline, ulong number)
    {
        int low = 0, high = _items.Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if ((_items[middle].Timeline, _items[middle].Number).CompareTo((timeline, number)) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }

    private sealed record Suffix(string Text, string Stem, bool IsSegment, bool IsPlain);
}
