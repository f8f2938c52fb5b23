using System.Collections.Concurrent;
using PgBackup.Codecs;
using PgBackup.Platform;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Restore.Fetching;

/// <summary>A part whose frames come in any order: which of its members lie in which frame, and the files that are open because a piece of them is still to come.</summary>
internal sealed partial class OpenPart : IDisposable
{
    private readonly MemberTarget?[] _targets;
    private readonly ConcurrentDictionary<int, Lazy<OpenMember>> _open = new();
    private readonly bool[] _wantedFrames;
    private readonly Dictionary<int, long> _unfetched = [];
    private bool[]? _kept;

    /// <summary>Chooses what is wanted of the part, and leaves increments for later where that can be; <see cref="ChooseFramesAsync"/> is next. Writes nothing yet.</summary>
    public OpenPart(string key, IndexedPart part, MemberWriter writer)
    {
        Key = key;
        Name = part.Name;
        Frames = part.Frames;
        Writer = writer;
        Members = part.Members;
        Starts = new FrameStarts(part.Frames);
        _targets = new MemberTarget?[part.Members.Count];
        _wantedFrames = new bool[part.Frames.Count];
        ChooseMembers();
    }

    /// <summary>The part's object.</summary>
    public string Key { get; }

    /// <summary>Its name within the backup.</summary>
    public string Name { get; }

    /// <summary>Whether its frames are zstd's; else they are plain.</summary>
    public bool IsCompressed => CompressionNames.TrySplit(Name, out _, out CompressionMethod method) && method != CompressionMethod.None;

    /// <summary>Its frames.</summary>
    public IReadOnlyList<IndexedFrame> Frames { get; }

    /// <summary>Where they begin in the tar.</summary>
    public FrameStarts Starts { get; }

    /// <summary>Its members.</summary>
    public IReadOnlyList<IndexedMember> Members { get; }

    /// <summary>Who decides what is written.</summary>
    public MemberWriter Writer { get; }

    /// <summary>Whether a frame holds something that is wanted.</summary>
    public bool IsWanted(int frame) => _wantedFrames[frame];

    /// <summary>Whether any frame does.</summary>
    public bool HasWantedFrames => Array.IndexOf(_wantedFrames, true) >= 0;

    /// <summary>Where a member goes; null when it is not wanted from here.</summary>
    public MemberTarget? TargetOf(int member) => _targets[member];

    /// <summary>Where a member ends in the tar, with its padding; 0 for the one before the first.</summary>
    public long EndOfMember(int member) =>
        member < 0 ? 0 : Members[member].Offset + Members[member].Size + TarHeader.PaddingOf(Members[member].Size);

    /// <summary>The first member whose content ends behind a position of the tar.</summary>
    public int FirstMemberEndingAfter(long position)
    {
        int low = 0, high = Members.Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (Members[middle].Offset + Members[middle].Size <= position)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }

    /// <summary>Some frames need not be fetched: the files in place already hold what is in them.</summary>
    public void Keep(bool[] frames)
    {
        _kept = frames;
        for (int i = 0; i < frames.Length; i++)
            _wantedFrames[i] &= !frames[i];
    }

    /// <summary>Makes the folders and the empty files, and ends the files of which nothing has to be fetched.</summary>
    public void Begin()
    {
        for (int i = 0; i < Members.Count; i++)
        {
            if (Members[i].Kind == MemberKind.Directory)
                Writer.Folder(Members[i].Name, (UnixFileMode)Members[i].Mode);
            else if (_targets[i] is { Overlay: { } overlay } overlaid)
                BeginOverlaid(i, overlaid, overlay);
            else if (_targets[i] is { Size: 0 } empty)
                WriteWhole(empty, default);
            else if (_targets[i] is { Use: MemberUse.Whole } target && (_kept is not null || target.Ledger is not null))
                LeaveOut(i, target);
        }
    }

    /// <summary>
    /// Ends when a frame can be written: one that holds only pages of an increment waits for the frame with the increment's block numbers, which lies before it in the same part
    /// and so was handed out before.
    /// </summary>
    public async ValueTask WaitUntilWritableAsync(int frame, CancellationToken cancellationToken)
    {
        long start = Starts[frame];
        int first = FirstMemberEndingAfter(start);
        if (first < Members.Count && Members[first].Offset < start && _targets[first] is { Use: MemberUse.Increment } target)
            await Opened(first, target).Pages.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Writes what a frame holds, and what <see cref="GatherNewerAsync"/> has gathered for it.</summary>
    public void Write(int frame, Span<byte> plain, AlignedBuffer newer)
    {
        long start = Starts[frame];
        long end = Starts[frame + 1];
        for (int i = FirstMemberEndingAfter(start); i < Members.Count && Members[i].Offset < end; i++)
        {
            if (_targets[i] is not { Size: > 0 } target)
                continue;
            IndexedMember member = Members[i];
            long from = Math.Max(start, member.Offset);
            long to = Math.Min(end, member.Offset + member.Size);
            Span<byte> piece = plain[(int)(from - start)..(int)(to - start)];
            Writer.Fetched(piece.Length);
            if (target.Overlay is { } overlay)
                WriteOverlaid(i, target, overlay, piece, newer.Span(plain.Length).Slice((int)(from - start), piece.Length), from - member.Offset);
            else if (target.Use == MemberUse.Increment)
                WriteIncrement(i, target, piece, from - member.Offset);
            else if (piece.Length == member.Size)
                WriteWhole(target, piece);
            else
                WritePiece(i, target, piece, from - member.Offset);
        }
    }

    /// <summary>Whether a file is open because a piece of it is still to come.</summary>
    public bool HasOpenFiles => !_open.IsEmpty;

    /// <summary>Closes what is still open after an error; nobody writes any more.</summary>
    public void Dispose()
    {
        foreach (Lazy<OpenMember> open in _open.Values)
        {
            if (open.IsValueCreated)
                open.Value.File.Dispose();
        }
        _open.Clear();
    }

    private static void WriteWhole(MemberTarget target, ReadOnlySpan<byte> content)
    {
        using DestinationFile file = target.Open();
        target.Write(file, content, 0);
        target.Finish(file);
    }

    private OpenMember Opened(int index, MemberTarget target) => _open.GetOrAdd(
        index,
        static (i, t) => new Lazy<OpenMember>(() => new OpenMember(t.Target.Open(), t.Target.Size - t.Unfetched.GetValueOrDefault(i))),
        (Target: target, Unfetched: _unfetched)).Value;

    private void WritePiece(int index, MemberTarget target, ReadOnlySpan<byte> piece, long offset)
    {
        OpenMember open = Opened(index, target);
        target.Write(open.File, piece, offset);
        Took(index, target, open, piece.Length);
    }

    private void WriteOverlaid(int index, MemberTarget target, FileOverlay overlay, Span<byte> piece, ReadOnlySpan<byte> newer, long offset)
    {
        OpenMember open = Opened(index, target);
        overlay.Write(open.File, piece, newer, offset);
        Took(index, target, open, piece.Length);
    }

    private void WriteIncrement(int index, MemberTarget target, ReadOnlySpan<byte> piece, long offset)
    {
        OpenMember open = Opened(index, target);
        try
        {
            ReadOnlySpan<byte> content = piece;
            IncrementPages pages;
            if (offset == 0)
            {
                if (IncrementHeader.LengthOf(piece) is var length && length > piece.Length)
                    throw new InvalidDataException("Its block numbers do not lie in one frame.");
                pages = target.BeginIncrement(open.File, IncrementHeader.Parse(piece, target.Size));
                open.SetPages(pages);
                content = piece[length..];
                offset = length;
            }
            else
            {
                pages = open.Pages.Result; // Waited for before the frame was decoded.
            }
            if (!content.IsEmpty)
                WritePages(open.File, pages, content, offset - pages.Header.Length);
        }
        catch (InvalidDataException error)
        {
            throw Writer.Damaged($"{Name}: '{target.Member}': {error.Message}", error);
        }
        Took(index, target, open, piece.Length);
    }

    private static void WritePages(DestinationFile file, IncrementPages pages, ReadOnlySpan<byte> content, long offset)
    {
        int size = pages.Header.PageSize;
        if (offset % size != 0 || content.Length % size != 0)
            throw new InvalidDataException("A frame holds a part of a page.");
        pages.Write(file, content, (int)(offset / size));
    }

    private void Took(int index, MemberTarget target, OpenMember open, int bytes)
    {
        if (!open.Took(bytes))
            return;
        _open.TryRemove(index, out _);
        using DestinationFile file = open.File;
        target.Finish(file);
    }

    private void ChooseMembers()
    {
        for (int i = 0; i < Members.Count; i++)
        {
            IndexedMember member = Members[i];
            if (member.Kind == MemberKind.Directory)
                continue;
            FileTime modified = FileTime.FromNanoseconds(member.Modified);
            if (Writer.Target(member.Name, member.Size, (UnixFileMode)(member.Mode & 0xfff), modified, fromSpecialPart: false) is not { } target)
                continue;
            if (target.Use == MemberUse.Increment != (member.Kind == MemberKind.Increment))
                throw Writer.Damaged($"its index and its list of files disagree whether '{member.Name}' is an increment.");
            if (!TryDefer(target, member))
                _targets[i] = target;
        }
    }

    private void ChooseFrames()
    {
        int frame = 0;
        for (int i = 0; i < Members.Count; i++)
        {
            if (_targets[i] is not { Size: > 0 } target)
                continue;
            while (Starts[frame + 1] <= Members[i].Offset)
                frame++;
            foreach ((int f, long from, long to) in PiecesOf(Members[i], frame))
                _wantedFrames[f] |= !target.IsSettled(from, to);
        }
    }

    /// <summary>What of a member lies in frames that are not fetched; with all of it the file is complete.</summary>
    private void LeaveOut(int index, MemberTarget target)
    {
        IndexedMember member = Members[index];
        long unfetched = 0, kept = 0;
        foreach ((int frame, long from, long to) in PiecesOf(member, Starts.FrameAt(member.Offset)))
        {
            unfetched += _wantedFrames[frame] ? 0 : to - from;
            kept += _kept is not null && _kept[frame] ? to - from : 0;
        }
        Writer.Kept(kept);
        if (unfetched == member.Size)
        {
            using DestinationFile file = target.Open();
            target.Finish(file);
        }
        else if (unfetched > 0)
        {
            _unfetched[index] = unfetched;
        }
    }

    /// <summary>The frames that hold a member, and which of its bytes.</summary>
    private IEnumerable<(int Frame, long From, long To)> PiecesOf(IndexedMember member, int firstFrame)
    {
        long end = member.Offset + member.Size;
        for (int f = firstFrame; f < _wantedFrames.Length && Starts[f] < end; f++)
            yield return (f, Math.Max(Starts[f], member.Offset) - member.Offset, Math.Min(Starts[f + 1], end) - member.Offset);
    }
}
