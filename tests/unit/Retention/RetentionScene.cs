using PgBackup.Codecs;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Retention;
using PgBackup.Storage;

namespace PgBackup.Tests.Retention;

/// <summary>What a repository holds, without one: backups and names of WAL, for decisions.</summary>
internal sealed class RetentionScene
{
    public static readonly WalSegmentSize Size = WalSegmentSize.Default;
    private readonly List<ArchivedWalFile> _files = [];
    private readonly Dictionary<ulong, Dictionary<TimelineId, TimelineHistory>> _histories = [];
    private readonly Dictionary<(TimelineId, string), ulong> _owners = [];

    public List<RetentionBackup> Backups { get; } = [];

    public IEnumerable<string> Segments => _files.Where(f => f.File.Kind == WalFileKind.Segment).Select(f => f.File.Name);

    public static DateTimeOffset At(string time) => DateTimeOffset.Parse(time, System.Globalization.CultureInfo.InvariantCulture, System.Globalization.DateTimeStyles.AssumeUniversal);

    /// <summary>Adds a base backup that begins in a segment and ends in the one behind it.</summary>
    public RetentionBackup Add(DateTimeOffset start, ulong segment, RetentionBackup? parent = null, ulong cluster = 1, uint timeline = 1, Func<RetentionBackup, RetentionBackup>? change = null)
    {
        WalSegmentName first = WalSegmentName.Of(new TimelineId(timeline), segment, Size);
        string name = parent is null ? BackupName.Full(first).Text : BackupName.Delta(first, NameOf(parent).Segment).Text;
        var backup = new RetentionBackup
        {
            Name = name, Kind = BackupKind.Cluster, Group = $"cluster {cluster}", SystemIdentifier = cluster, Status = BackupStatus.Complete, StartTime = start,
            FinishTime = start.AddMinutes(10), IsFull = parent is null, Chain = [.. parent?.Chain ?? [], name], Timeline = new TimelineId(timeline),
            StartLsn = Size.StartOf(segment) + 0x28, FinishLsn = Size.StartOf(segment + 1) + 0x100, Size = 1000,
        };
        backup = change?.Invoke(backup) ?? backup;
        Backups.Add(backup);
        return backup;
    }

    public void AddDump(DateTimeOffset start, string database, string group = "")
    {
        string name = $"dump_{start.UtcDateTime:yyyyMMdd'T'HHmmss'Z'}_{Backups.Count:x8}";
        Backups.Add(new RetentionBackup { Name = name, Kind = BackupKind.Database, Group = $"database {database}{group}", Status = BackupStatus.Complete, StartTime = start, FinishTime = start, IsFull = true, Chain = [name] });
    }

    public void AddWal(ulong segment, DateTimeOffset stored, ulong cluster = 1, uint timeline = 1)
    {
        WalSegmentName name = WalSegmentName.Of(new TimelineId(timeline), segment, Size);
        _owners[(name.Timeline, name.ToString())] = cluster;
        AddFile(name.ToString(), stored);
    }

    public void AddHistory(uint timeline, ulong cluster, params (uint Parent, Lsn At)[] switches)
    {
        var history = TimelineHistory.Of(new TimelineId(timeline), [.. switches.Select(s => new TimelineSwitch(new TimelineId(s.Parent), s.At, "test"))]);
        if (!_histories.TryGetValue(cluster, out Dictionary<TimelineId, TimelineHistory>? known))
            _histories[cluster] = known = [];
        known[history.Timeline] = history;
        AddFile(history.Timeline.HistoryFileName, DateTimeOffset.UnixEpoch);
    }

    public RetentionFacts Facts()
    {
        var inventory = WalInventory.Of(_files);
        ClusterLog[] logs =
        [
            .. Backups.Where(b => b.Kind == BackupKind.Cluster).Select(b => b.SystemIdentifier!.Value).Distinct().Select(cluster => new ClusterLog(
                cluster, Size, _histories.GetValueOrDefault(cluster) ?? [], (timeline, place) => _owners[(timeline, inventory.At(timeline, place).ToString())] == cluster)),
        ];
        return new RetentionFacts([.. Backups], new ArchiveFacts(inventory, logs));
    }

    public IReadOnlyList<RetentionDecision> Decide(RetentionPolicy policy, DateTimeOffset now) => RetentionPlanner.Decide(policy, Facts(), now);

    /// <summary>Takes away what the decisions say.</summary>
    public void Apply(IReadOnlyList<RetentionDecision> decisions)
    {
        var gone = decisions.Where(d => d.Action == RetentionAction.Remove).ToList();
        var backups = gone.Where(d => d.Backup is not null).Select(d => d.Name).ToHashSet();
        Backups.RemoveAll(b => backups.Contains(b.Name));
        HashSet<string> segments = RemovedSegments(decisions);
        var histories = gone.Where(d => d.Kind == RetentionItemKind.TimelineHistory).Select(d => d.Name).ToHashSet();
        _files.RemoveAll(f => segments.Contains(f.File.Name) || histories.Contains(f.File.Name));
    }

    /// <summary>The segments that the decisions remove.</summary>
    public static HashSet<string> RemovedSegments(IReadOnlyList<RetentionDecision> decisions)
    {
        var removed = new HashSet<string>();
        foreach (RetentionDecision run in decisions.Where(d => d is { Kind: RetentionItemKind.Wal, Action: RetentionAction.Remove }))
        {
            WalSegmentName last = WalSegmentName.Parse(run.LastSegment!);
            for (WalSegmentName segment = WalSegmentName.Parse(run.Name); segment.CompareTo(last) <= 0; segment = segment.NextFor(Size))
                removed.Add(segment.ToString());
        }
        return removed;
    }

    private static BackupName NameOf(RetentionBackup backup) => BackupName.TryParse(backup.Name, out BackupName? name) ? name : throw new ArgumentException(backup.Name);

    private void AddFile(string name, DateTimeOffset stored)
    {
        Assert.True(WalFileName.TryParse(name, out WalFileName? file));
        _files.Add(new ArchivedWalFile(file, CompressionMethod.Zstd, new StoredObject($"wal_005/{name}.zst", 100, stored)));
    }
}
