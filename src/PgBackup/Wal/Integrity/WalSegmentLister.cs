using System.Runtime.CompilerServices;
using PgBackup.Postgres.Files;
using PgBackup.Repository;

namespace PgBackup.Wal.Integrity;

/// <summary>Lists what the archive holds of each cluster's log, timeline by timeline, and what backups miss of it.</summary>
public static class WalSegmentLister
{
    /// <summary>
    /// The ranges, oldest cluster and timeline first; missing ones as objects of their own. A segment is missing when a backup would have to be rolled forward through it; without a
    /// backup, when others lie before and behind it. Throws what proving the key throws.
    /// </summary>
    /// <param name="repository">The repository.</param>
    /// <param name="timeline">Only this timeline; null for all.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async IAsyncEnumerable<WalSegmentRange> ListRangesAsync(
        BackupRepository repository, TimelineId? timeline = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        IReadOnlyList<ClusterLog> logs = await ClusterLog.ReadAllAsync(repository, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<KnownGap> known = await GapRegister.ReadAsync(repository, cancellationToken).ConfigureAwait(false);
        foreach (ClusterLog log in logs)
        {
            IReadOnlyList<KnownGap> own = RangeFactory.KnownOf(log, known);
            Dictionary<TimelineId, List<SegmentRun>> gaps = GapsOf(log);
            foreach (TimelineId one in log.Timelines().Reverse())
            {
                if (timeline is not null && one != timeline)
                    continue;
                foreach (SegmentRun run in Merge(FoundOn(log, one), InPiecesOn(log, one), gaps.GetValueOrDefault(one) ?? []))
                {
                    if (run.IsThere || run.PiecesEnd is not null)
                    {
                        yield return RangeFactory.Make(log, run, run.IsThere ? WalSegmentState.Found : WalSegmentState.InPieces, null);
                        continue;
                    }
                    foreach ((SegmentRun part, KnownGap? gap) in GapJudge.SplitKnown(run, own))
                        yield return RangeFactory.Make(log, part, gap is null ? WalSegmentState.Missing : WalSegmentState.Acknowledged, gap);
                }
            }
        }
    }

    /// <summary>Every segment that is there, oldest cluster and timeline first; one after the other, however many there are.</summary>
    /// <param name="repository">The repository.</param>
    /// <param name="timeline">Only this timeline; null for all.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async IAsyncEnumerable<WalSegment> ListSegmentsAsync(
        BackupRepository repository, TimelineId? timeline = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        foreach (ClusterLog log in await ClusterLog.ReadAllAsync(repository, cancellationToken).ConfigureAwait(false))
        {
            foreach (TimelineId one in log.Inventory.Timelines)
            {
                if (timeline is not null && one != timeline)
                    continue;
                int count = log.Inventory.CountOf(one);
                for (int place = 0; place < count;)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    int next = place + 1;
                    WalSegmentName name = log.Inventory.At(one, place);
                    while (next < count && log.Inventory.At(one, next) == name)
                        next++;
                    if (LogPath.IsPossible(name, log.SegmentSize))
                        yield return Describe(log, name, place, next);
                    place = next;
                }
            }
        }
    }

    private static WalSegment Describe(ClusterLog log, WalSegmentName name, int place, int next)
    {
        string[] objects = new string[next - place];
        for (int i = 0; i < objects.Length; i++)
            objects[i] = log.Inventory.KeyAt(name.Timeline, place + i);
        return new WalSegment
        {
            Name = name.ToString(),
            Timeline = name.Timeline,
            StartLsn = name.StartFor(log.SegmentSize),
            StoredSize = new ByteSize(log.Inventory.SizeAt(name.Timeline, place)),
            StoredTime = log.Inventory.StoredTimeAt(name.Timeline, place),
            Objects = objects,
            SystemIdentifier = log.SystemIdentifier,
            Repository = log.Repository.Location,
        };
    }

    // What is there, whether or not a path leads through it.
    private static IEnumerable<SegmentRun> FoundOn(ClusterLog log, TimelineId timeline) =>
        LogPath.ScanTimeline(log.Inventory, timeline, 0, ulong.MaxValue, log.SegmentSize).Where(r => r.IsThere);

    private static IEnumerable<SegmentRun> InPiecesOn(ClusterLog log, TimelineId timeline) =>
        log.Inventory.Tails.Where(t => t.Segment.Timeline == timeline && LogPath.IsPossible(t.Segment, log.SegmentSize)).Select(t => new SegmentRun(
            timeline, t.Segment.NumberFor(log.SegmentSize), t.Segment.NumberFor(log.SegmentSize), false, t.StoredBytes, 0) { PiecesEnd = PathTail.EndOf(t, log.SegmentSize) });

    private static Dictionary<TimelineId, List<SegmentRun>> GapsOf(ClusterLog log)
    {
        var gaps = new Dictionary<TimelineId, List<SegmentRun>>();
        foreach (TimelineId timeline in log.Timelines().Where(log.IsAlive))
        {
            TimelineHistory history = log.HistoryOf(timeline);
            var path = new LogPath(log.Inventory, history, log.SegmentSize);
            IReadOnlyList<ClusterBackup> backups = log.BackupsOn(history);
            ClusterBackup? oldest = backups.FirstOrDefault(b => !b.IsPermanent) ?? (backups.Count > 0 ? backups[0] : null);
            ulong? first = oldest is null ? path.FirstNumber : log.SegmentSize.SegmentNumberOf(oldest.StartLsn!.Value);
            ulong? last = path.HeldNumber;
            if (first is not null && last is not null)
                Add(path.Scan(first.Value, last.Value));
            foreach (ClusterBackup backup in backups)
                Add(path.Scan(log.SegmentSize.SegmentNumberOf(backup.StartLsn!.Value), path.NumberBefore(backup.FinishLsn!.Value)));
        }
        return gaps;

        void Add(IEnumerable<SegmentRun> runs)
        {
            foreach (SegmentRun run in runs)
            {
                if (run.IsThere || run.PiecesEnd is not null)
                    continue;
                if (!gaps.TryGetValue(run.Timeline, out List<SegmentRun>? list))
                    gaps[run.Timeline] = list = [];
                list.Add(run);
            }
        }
    }

    // In order of the log; gaps that several paths lead through are one. Pieces that do not close a gap do not count.
    private static IEnumerable<SegmentRun> Merge(IEnumerable<SegmentRun> found, IEnumerable<SegmentRun> inPieces, List<SegmentRun> gaps)
    {
        SegmentRun? open = null;
        foreach (SegmentRun run in found.Concat(inPieces.Where(p => !gaps.Exists(g => g.First <= p.First && p.First <= g.Last))).Concat(gaps).OrderBy(r => r.First).ThenBy(r => r.Last))
        {
            if (open is { IsThere: false, PiecesEnd: null } gap && run is { IsThere: false, PiecesEnd: null } && run.First <= gap.Last + 1)
            {
                open = gap with { Last = Math.Max(gap.Last, run.Last) };
                continue;
            }
            if (open is { } done)
                yield return done;
            open = run;
        }
        if (open is { } last)
            yield return last;
    }
}
