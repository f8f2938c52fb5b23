using PgBackup.Platform;
using PgBackup.Repository.Documents;

namespace PgBackup.Restore.Fetching;

/// <summary>A region of a file of which the base brings nothing, and newer backups everything.</summary>
/// <param name="Frame">The frame after which it is to be written.</param>
/// <param name="Member">The base's number in its part.</param>
/// <param name="Overlay">What the newer backups hold.</param>
/// <param name="From">Where it begins in the file.</param>
/// <param name="To">Where it ends.</param>
internal sealed record Assembly(int Frame, int Member, FileOverlay Overlay, long From, long To);

/// <summary>The files of the part over which the pages of newer backups are laid.</summary>
internal sealed partial class OpenPart
{
    // Several at once, whatever the number of processors: it is the store that is waited for.
    private const int HeadersAtOnce = 8;

    private readonly Queue<Assembly> _assemblies = new();
    private DeferredPart? _deferred;

    /// <summary>Chooses the frames that are wanted; for that the block lists of increments that wait for a base in this part are read.</summary>
    public async Task ChooseFramesAsync(int workers, CancellationToken cancellationToken)
    {
        MemberTarget[] waitedFor = [.. _targets.Where(static t => t is { Newer: not null }).Select(static t => t!)];
        if (waitedFor.Length > 0)
        {
            var options = new ParallelOptions { MaxDegreeOfParallelism = Math.Max(workers, HeadersAtOnce), CancellationToken = cancellationToken };
            await Parallel.ForEachAsync(waitedFor, options, async (target, token) =>
                target.Overlay = await FileOverlay.LoadAsync(target.Newer!, target.Size, Writer.Frames, token).ConfigureAwait(false)).ConfigureAwait(false);
        }
        ChooseFrames();
    }

    /// <summary>The next region that is to be put together before a frame; null when there is none any more.</summary>
    public Assembly? NextAssembly(int beforeFrame) => _assemblies.TryPeek(out Assembly? next) && next.Frame < beforeFrame ? _assemblies.Dequeue() : null;

    /// <summary>Begins to fetch the newer pages that belong to some frames.</summary>
    public void PrefetchNewer(int first, int next, CancellationToken cancellationToken)
    {
        for (int frame = first; frame < next; frame++)
        {
            foreach ((int i, long from, int length, _) in OverlaidIn(frame))
                _targets[i]!.Overlay!.Prefetch(from, from + length, cancellationToken);
        }
    }

    /// <summary>Fetches the newer pages that belong to a frame; they then lie in the buffer where the frame has the older ones.</summary>
    public async ValueTask GatherNewerAsync(int frame, AlignedBuffer pages, CancellationToken cancellationToken)
    {
        foreach ((int i, long from, int length, int at) in OverlaidIn(frame))
            await _targets[i]!.Overlay!.GatherAsync(from, length, pages, Frames[frame].PlainLength, at, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Writes a region of which the base brings nothing.</summary>
    public async Task AssembleAsync(Assembly assembly, AlignedBuffer buffer, CancellationToken cancellationToken)
    {
        MemberTarget target = _targets[assembly.Member]!;
        OpenMember open = Opened(assembly.Member, target);
        await assembly.Overlay.AssembleAsync(open.File, assembly.From, assembly.To, buffer, cancellationToken).ConfigureAwait(false);
        Took(assembly.Member, target, open, (int)(assembly.To - assembly.From));
    }

    private bool TryDefer(MemberTarget target, IndexedMember member)
    {
        // What an older backup holds can wait only when all that is newer does.
        if (target.Use != MemberUse.Increment || Writer.InPlace || target.Ledger is not null)
            return false;
        if (member.Size < IncrementHeader.StartLength)
            throw Writer.Damaged($"{Name}: '{target.Member}': It should be an increment, but does not begin as one.");
        Writer.Defer(target, _deferred ??= new DeferredPart(this), member.Offset);
        return true;
    }

    /// <summary>Plans the regions of a file of which its base brings nothing, and counts what is to come of it.</summary>
    private void BeginOverlaid(int index, MemberTarget target, FileOverlay overlay)
    {
        IndexedMember member = Members[index];
        long owed = 0;
        int last = 0;
        if (member.Size > 0)
        {
            foreach ((int frame, long from, long to) in PiecesOf(member, Starts.FrameAt(member.Offset)))
            {
                owed += _wantedFrames[frame] ? to - from : AddAssemblies(frame, index, overlay, from, Math.Min(to, overlay.BaseEnd));
                last = frame;
            }
        }
        owed += AddAssemblies(last, index, overlay, overlay.BaseEnd, overlay.Ledger.FileSize);
        if (owed > 0)
        {
            _unfetched[index] = member.Size - owed;
            return;
        }
        using DestinationFile file = target.Open();
        target.Finish(file);
    }

    private long AddAssemblies(int frame, int index, FileOverlay overlay, long from, long to)
    {
        long owed = 0;
        for (long end; from < to; from = end)
        {
            end = Math.Min(to, (from / FileOverlay.RegionSize * FileOverlay.RegionSize) + FileOverlay.RegionSize);
            if (overlay.Ledger.NextBrought(from, end) is null)
                continue;
            _assemblies.Enqueue(new Assembly(frame, index, overlay, from, end));
            owed += end - from;
        }
        return owed;
    }

    /// <summary>The pieces of a frame over which newer pages may be laid: the member, where the piece begins in its file, its length, where it begins in the frame.</summary>
    private IEnumerable<(int Member, long From, int Length, int At)> OverlaidIn(int frame)
    {
        long start = Starts[frame], end = Starts[frame + 1];
        for (int i = FirstMemberEndingAfter(start); i < Members.Count && Members[i].Offset < end; i++)
        {
            if (_targets[i] is not { Size: > 0, Overlay: not null })
                continue;
            long from = Math.Max(start, Members[i].Offset), to = Math.Min(end, Members[i].Offset + Members[i].Size);
            yield return (i, from - Members[i].Offset, (int)(to - from), (int)(from - start));
        }
    }
}
