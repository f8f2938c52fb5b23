namespace PgBackup.Wal.Integrity;

/// <summary>
/// Says what it means that segments are missing. The words and the counting are those of wal-g's <c>wal-verify integrity</c>: at the newest end so many may be late
/// (<see cref="MaxDelayed"/>); of the segments before, so many may be on their way at the same time (<see cref="UploadWindow"/>); the rest is lost.
/// </summary>
internal sealed class GapJudge
{
    /// <summary>How many at the newest end may be late (WALG_INTEGRITY_MAX_DELAYED_WALS).</summary>
    public const int MaxDelayed = 0;

    /// <summary>How many may be on their way (WALG_UPLOAD_CONCURRENCY).</summary>
    public const int UploadWindow = 16;

    /// <summary>How many may be on their way behind a segment that was stored long ago: the server has rested, and has just gone on.</summary>
    private const ulong RestingWindow = 2;

    /// <summary>Behind a segment that was stored so long ago nothing is on its way any more.</summary>
    public static readonly TimeSpan UploadTime = TimeSpan.FromHours(1);

    private readonly ulong _delayedFrom;
    private readonly ulong _uploadingFrom;
    private readonly IReadOnlyList<KnownGap> _known;

    /// <param name="last">The number of the newest segment that should be there.</param>
    /// <param name="newest">The number of the newest one that is, whole or in pieces; null when none is.</param>
    /// <param name="maxDelayed">How many may be late.</param>
    /// <param name="uploadWindow">How many may be on their way.</param>
    /// <param name="isFresh">Whether the newest one was stored so lately that those before it may still come.</param>
    /// <param name="known">What was acknowledged, of this cluster.</param>
    public GapJudge(ulong last, ulong? newest, int maxDelayed, int uploadWindow, bool isFresh, IReadOnlyList<KnownGap> known)
    {
        ulong end = last + 1;
        _known = known;
        ulong behind = newest < last ? last - newest.Value : newest is null ? end : 0;
        ulong delayed = Math.Min((ulong)maxDelayed, behind);
        _delayedFrom = end - delayed;
        // The one that ends the delay is looked at, too.
        ulong before = _delayedFrom - (delayed < (ulong)maxDelayed && newest is not null && delayed == behind ? Math.Min(1, _delayedFrom) : 0);
        _uploadingFrom = before - Math.Min((ulong)uploadWindow, before);
        if (!isFresh && newest is { } found)
            _uploadingFrom = Math.Max(_uploadingFrom, Math.Max(found, last + 1 - Math.Min(RestingWindow, last + 1)));
    }

    /// <summary>Cuts a run where the state changes.</summary>
    public IEnumerable<(SegmentRun Run, WalSegmentState State, KnownGap? Known)> Judge(SegmentRun run)
    {
        if (run.IsThere || run.PiecesEnd is not null)
        {
            yield return (run, run.IsThere ? WalSegmentState.Found : WalSegmentState.InPieces, null);
            yield break;
        }
        foreach ((SegmentRun part, KnownGap? gap) in SplitKnown(run, _known))
        {
            if (gap is not null)
            {
                yield return (part, WalSegmentState.Acknowledged, gap);
                continue;
            }
            for (ulong first = part.First; first <= part.Last;)
            {
                (WalSegmentState state, ulong last) = StateAt(first, part.Last);
                yield return (part with { First = first, Last = last }, state, null);
                first = last + 1;
            }
        }
    }

    /// <summary>Cuts a run of missing segments where what was acknowledged begins and ends; <paramref name="known"/> is in the order of the log.</summary>
    public static IEnumerable<(SegmentRun Run, KnownGap? Known)> SplitKnown(SegmentRun run, IReadOnlyList<KnownGap> known)
    {
        for (ulong first = run.First; first <= run.Last;)
        {
            KnownGap? covering = null;
            ulong last = run.Last;
            foreach (KnownGap gap in known)
            {
                if (gap.Timeline != run.Timeline.Value || gap.Last < first || gap.First > last)
                    continue;
                if (gap.First <= first)
                    (covering, last) = (gap, Math.Min(run.Last, gap.Last));
                else
                    last = Math.Min(last, gap.First - 1);
                break;
            }
            yield return (run with { First = first, Last = last }, covering);
            first = last + 1;
        }
    }

    private (WalSegmentState State, ulong Last) StateAt(ulong number, ulong last)
    {
        if (number >= _delayedFrom)
            return (WalSegmentState.Delayed, last);
        return number >= _uploadingFrom
            ? (WalSegmentState.Uploading, Math.Min(last, _delayedFrom - 1))
            : (WalSegmentState.Lost, Math.Min(last, _uploadingFrom - 1));
    }
}
