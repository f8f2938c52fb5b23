using PgBackup.Retention;
using static PgBackup.Tests.Retention.RetentionScene;

namespace PgBackup.Tests.Retention;

/// <summary>Months of one or two clusters' lives out of a seed.</summary>
internal sealed class RandomHistory
{
    private static readonly TimeZoneInfo[] s_zones = [TimeZoneInfo.Utc, TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin"), TimeZoneInfo.FindSystemTimeZoneById("America/St_Johns"), TimeZoneInfo.FindSystemTimeZoneById("Pacific/Chatham")];

    private readonly Random _random;
    private readonly Dictionary<ulong, List<(TimelineId Timeline, ulong First)>> _paths = [];
    private readonly Dictionary<ulong, List<(TimelineId Timeline, ulong Segment)>> _wal = [];
    private readonly Dictionary<ulong, DateTimeOffset> _newestWal = [];
    private readonly HashSet<string> _names = [];

    public RandomHistory(int seed)
    {
        _random = new Random(seed);
        DateTimeOffset time = At("2025-01-01").AddMinutes(_random.Next(100_000));
        uint timeline = 1;
        ulong segment = 1;
        for (ulong cluster = 1; cluster <= (ulong)_random.Next(1, 3); cluster++)
        {
            // The next cluster begins after the one before: behind it in the log, or with the same names as it has on timelines of its own.
            time = Live(cluster, time, ref timeline, ref segment);
            timeline += 1;
            segment += (ulong)_random.Next(1, 5);
        }
        Now = time;
    }

    public RetentionScene Scene { get; } = new();

    public DateTimeOffset Now { get; }

    public RetentionPolicy Policy()
    {
        int? Count(int most) => _random.Next(3) == 0 ? _random.Next(1, most) : null;
        return new RetentionPolicy
        {
            KeepLast = Count(6), KeepHourly = Count(30), KeepDaily = Count(10), KeepWeekly = Count(5), KeepMonthly = Count(4), KeepYearly = Count(3),
            KeepWithin = _random.Next(4) == 0 ? TimeSpan.FromHours(_random.Next(1, 400)) : null,
            RecoveryWindow = _random.Next(2) == 0 ? TimeSpan.FromHours(_random.Next(1, 600)) : null,
            KeepFull = _random.Next(4) == 0 ? _random.Next(1, 5) : _random.Next(1) + 1,
            Before = _random.Next(5) == 0 ? Now.AddHours(-_random.Next(1, 1500)) : null,
            MinimumFull = _random.Next(1, 4),
            WalBuffer = TimeSpan.FromHours(_random.Next(0, 48)),
            TimeZone = s_zones[_random.Next(s_zones.Length)],
        };
    }

    /// <summary>Whether a backup lies on the way to where its cluster writes now.</summary>
    public bool IsOnCurrentPath(RetentionBackup backup)
    {
        List<(TimelineId Timeline, ulong First)> path = _paths[backup.SystemIdentifier!.Value];
        int place = path.FindIndex(p => p.Timeline == backup.Timeline);
        // A timeline is left at the first byte of a segment.
        return place >= 0 && (place == path.Count - 1 || backup.FinishLsn <= Size.StartOf(path[place + 1].First));
    }

    /// <summary>The segments on the way to where a cluster writes now.</summary>
    public IEnumerable<(TimelineId Timeline, ulong Segment)> CurrentPath(ulong cluster)
    {
        List<(TimelineId Timeline, ulong First)> path = _paths[cluster];
        return _wal[cluster].Where(s => path.FindIndex(p => p.Timeline == s.Timeline) is >= 0 and int place && s.Segment >= path[place].First
            && (place == path.Count - 1 || s.Segment < path[place + 1].First));
    }

    public bool IsAlive(ulong cluster, DateTimeOffset since) => _newestWal[cluster] >= since;

    public bool IsRemoved(HashSet<string> removed, ulong cluster, TimelineId timeline, ulong segment) =>
        _wal[cluster].Contains((timeline, segment)) && removed.Contains(WalSegmentName.Of(timeline, segment, Size).ToString());

    private DateTimeOffset Live(ulong cluster, DateTimeOffset time, ref uint timeline, ref ulong segment)
    {
        ulong begin = segment;
        List<(TimelineId Timeline, ulong First)> path = [(new TimelineId(timeline), segment)];
        var switches = new List<(uint Parent, Lsn At)>();
        var wal = new List<(TimelineId, ulong)>();
        (_paths[cluster], _wal[cluster], _newestWal[cluster]) = (path, wal, time);
        uint newest = timeline;
        RetentionBackup? last = null;
        int steps = _random.Next(20, 120);
        for (int step = 0; step < steps; step++)
        {
            time = time.AddMinutes(_random.Next(10, 1500));
            for (int n = _random.Next(1, 4); n > 0; n--)
                Archive(cluster, timeline, segment++, time, wal);
            if (_random.Next(2) == 0)
            {
                bool isDelta = last is not null && last.Timeline.Value == timeline && _random.Next(3) > 0;
                RetentionBackup made = Scene.Add(Clock(time), segment, isDelta ? last : null, cluster, timeline, Change);
                for (int n = 0; n < 2; n++)
                    Archive(cluster, timeline, segment++, time, wal, mayMiss: false);
                if (!_names.Add(made.Name))
                    throw new InvalidOperationException("Two backups of one name.");
                if (made.Status == BackupStatus.Complete)
                    last = made;
            }
            if (_random.Next(25) == 0 && segment > begin + 4)
            {
                // Back to an earlier point, and on from there on a new timeline.
                ulong fork = (ulong)Math.Max((long)path[^1].First + 1, (long)segment - _random.Next(1, 12));
                newest++;
                switches.Add((timeline, Size.StartOf(fork)));
                timeline = newest;
                segment = fork;
                path.Add((new TimelineId(timeline), fork));
                Scene.AddHistory(timeline, cluster, [.. switches]);
                last = null;
            }
        }
        return time;
    }

    private void Archive(ulong cluster, uint timeline, ulong segment, DateTimeOffset time, List<(TimelineId, ulong)> wal, bool mayMiss = true)
    {
        if (mayMiss && _random.Next(40) == 0)
            return; // A gap.
        Scene.AddWal(segment, time, cluster, timeline);
        wal.Add((new TimelineId(timeline), segment));
        _newestWal[cluster] = time;
    }

    private DateTimeOffset Clock(DateTimeOffset time) => _random.Next(30) switch { 0 => time.AddDays(-_random.Next(1, 200)), 1 => time.AddDays(_random.Next(1, 200)), _ => time };

    private RetentionBackup Change(RetentionBackup backup) => _random.Next(20) switch
    {
        0 => backup with { IsPermanent = true },
        1 => backup with { LockedUntil = backup.StartTime!.Value.AddDays(_random.Next(1, 60)) },
        2 => backup with { Status = BackupStatus.Damaged, Problem = "Broken." },
        3 => backup with { Status = BackupStatus.InProgress },
        _ => backup,
    };
}
