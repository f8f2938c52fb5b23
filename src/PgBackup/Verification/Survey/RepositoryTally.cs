using PgBackup.Codecs;
using PgBackup.Repository;
using PgBackup.Storage;

namespace PgBackup.Verification.Survey;

/// <summary>The bytes of a backup's objects.</summary>
internal sealed class BackupTally(BackupName name)
{
    public BackupName Name { get; } = name;

    public long Size { get; set; }

    /// <summary>The sentinel's key; null until it was listed.</summary>
    public string? SentinelKey { get; set; }

    public DateTimeOffset Published { get; set; }
}

/// <summary>
/// Counts the objects of a repository as they are listed, in no promised order: one entry for a backup and one for a timeline is all that it keeps.
/// </summary>
internal sealed class RepositoryTally
{
    private readonly Dictionary<string, BackupTally> _backups = new(StringComparer.Ordinal);
    private readonly Dictionary<string, BackupTally>.AlternateLookup<ReadOnlySpan<char>> _backupsByName;
    private readonly Dictionary<TimelineId, TimelineTally> _timelines = [];

    public RepositoryTally()
    {
        _backupsByName = _backups.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public long Count { get; private set; }

    public long Size { get; private set; }

    public long WalSize { get; private set; }

    public long PrivateCount { get; private set; }

    public long PrivateSize { get; private set; }

    public long OtherCount { get; private set; }

    public long OtherSize { get; private set; }

    public IReadOnlyCollection<BackupTally> Backups => _backups.Values;

    public IReadOnlyList<RepositoryTimeline> Timelines =>
        [.. _timelines.OrderBy(t => t.Key).Select(t => new RepositoryTimeline(t.Key, t.Value.First, t.Value.Last, t.Value.Count, t.Value.Size))];

    public void Add(StoredObject item)
    {
        Count++;
        Size += item.Size;
        if (item.Key.StartsWith(RepositoryLayout.WalFolder, StringComparison.Ordinal))
        {
            AddWal(item);
        }
        else if (item.Key.StartsWith(RepositoryLayout.PrivateFolder, StringComparison.Ordinal))
        {
            PrivateCount++;
            PrivateSize += item.Size;
        }
        else if (!item.Key.StartsWith(RepositoryLayout.BackupFolder, StringComparison.Ordinal) || !TryAddToBackup(item))
        {
            OtherCount++;
            OtherSize += item.Size;
        }
    }

    private void AddWal(StoredObject item)
    {
        WalSize += item.Size;
        ReadOnlySpan<char> name = item.Key.AsSpan(RepositoryLayout.WalFolder.Length);
        // Histories, backup labels and partial segments are not counted as segments.
        if (name.Length < WalSegmentName.Length || !WalSegmentName.TryParse(name[..WalSegmentName.Length], out WalSegmentName segment) || !IsExtension(name[WalSegmentName.Length..]))
            return;
        if (!_timelines.TryGetValue(segment.Timeline, out TimelineTally? timeline))
            _timelines[segment.Timeline] = timeline = new TimelineTally(segment);
        timeline.Add(segment, item.Size);
    }

    private static bool IsExtension(ReadOnlySpan<char> rest)
    {
        if (rest.IsEmpty || rest is ".")
            return true;
        for (int i = 0; i < CompressionNames.Readable.Count; i++)
        {
            CompressionMethod method = CompressionNames.Readable[i];
            if (method != CompressionMethod.None && rest.SequenceEqual(CompressionNames.Extension(method)))
                return true;
        }
        return false;
    }

    private bool TryAddToBackup(StoredObject item)
    {
        ReadOnlySpan<char> name = item.Key.AsSpan(RepositoryLayout.BackupFolder.Length);
        int slash = name.IndexOf('/');
        bool isSentinel = slash < 0 && name.EndsWith(RepositoryLayout.SentinelSuffix, StringComparison.Ordinal);
        if (slash < 0 && !isSentinel)
            return false;
        name = isSentinel ? name[..^RepositoryLayout.SentinelSuffix.Length] : name[..slash];
        if (!_backupsByName.TryGetValue(name, out BackupTally? backup))
        {
            if (!BackupName.TryParse(name.ToString(), out BackupName? parsed))
                return false;
            _backups[parsed.Text] = backup = new BackupTally(parsed);
        }
        backup.Size += item.Size;
        if (isSentinel)
            (backup.SentinelKey, backup.Published) = (item.Key, item.LastModified);
        return true;
    }

    private sealed class TimelineTally(WalSegmentName first)
    {
        public WalSegmentName First { get; private set; } = first;

        public WalSegmentName Last { get; private set; } = first;

        public long Count { get; private set; }

        public long Size { get; private set; }

        public void Add(WalSegmentName segment, long size)
        {
            Count++;
            Size += size;
            if (segment.CompareTo(First) < 0)
                First = segment;
            if (segment.CompareTo(Last) > 0)
                Last = segment;
        }
    }
}
