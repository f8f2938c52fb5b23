using System.Collections.Concurrent;
using PgBackup.Codecs;
using PgBackup.Repository.Documents;

namespace PgBackup.Restore.Fetching;

/// <summary>A part whose frames come in any order: which of its members lie in which frame, and the files that are open because a piece of them is still to come.</summary>
internal sealed class OpenPart : IDisposable
{
    private readonly long[] _frameStarts;
    private readonly IReadOnlyList<IndexedMember> _members;
    private readonly MemberTarget?[] _targets;
    private readonly ConcurrentDictionary<int, Lazy<OpenMember>> _open = new();
    private readonly bool[] _wantedFrames;

    public OpenPart(string key, IndexedPart part, MemberWriter writer)
    {
        Key = key;
        Name = part.Name;
        Frames = part.Frames;
        Writer = writer;
        _members = part.Members;
        _frameStarts = new long[part.Frames.Count + 1];
        for (int i = 0; i < part.Frames.Count; i++)
            _frameStarts[i + 1] = _frameStarts[i] + part.Frames[i].PlainLength;
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

    /// <summary>Who decides what is written.</summary>
    public MemberWriter Writer { get; }

    /// <summary>Whether a frame holds something that is wanted.</summary>
    public bool IsWanted(int frame) => _wantedFrames[frame];

    /// <summary>Writes what a frame holds.</summary>
    public void Write(int frame, ReadOnlySpan<byte> plain)
    {
        long start = _frameStarts[frame];
        long end = _frameStarts[frame + 1];
        for (int i = FirstMemberEndingAfter(start); i < _members.Count && _members[i].Offset < end; i++)
        {
            if (_targets[i] is not { } target || target.Size == 0)
                continue;
            IndexedMember member = _members[i];
            long from = Math.Max(start, member.Offset);
            long to = Math.Min(end, member.Offset + member.Size);
            ReadOnlySpan<byte> piece = plain[(int)(from - start)..(int)(to - start)];
            if (piece.Length == member.Size)
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
        using (DestinationFile file = target.Open())
            file.Write(content, 0);
        target.Written();
    }

    private void WritePiece(int index, MemberTarget target, ReadOnlySpan<byte> piece, long offset)
    {
        OpenMember open = _open.GetOrAdd(index, static (_, member) => new Lazy<OpenMember>(() => new OpenMember(member.Open(), member.Size)), target).Value;
        open.File.Write(piece, offset);
        if (!open.Took(piece.Length))
            return;
        _open.TryRemove(index, out _);
        open.File.Dispose();
        target.Written();
    }

    private void ChooseMembers()
    {
        int frame = 0;
        for (int i = 0; i < _members.Count; i++)
        {
            IndexedMember member = _members[i];
            if (member.Kind == MemberKind.Directory)
            {
                Writer.Folder(member.Name, (UnixFileMode)member.Mode);
                continue;
            }
            if (Writer.Target(member.Name, member.Size, (UnixFileMode)(member.Mode & 0xfff), fromSpecialPart: false) is not { } target)
                continue;
            _targets[i] = target;
            if (member.Size == 0)
            {
                WriteWhole(target, default);
                continue;
            }
            while (_frameStarts[frame + 1] <= member.Offset)
                frame++;
            for (int f = frame; f < _wantedFrames.Length && _frameStarts[f] < member.Offset + member.Size; f++)
                _wantedFrames[f] = true;
        }
    }

    private int FirstMemberEndingAfter(long position)
    {
        int low = 0, high = _members.Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_members[middle].Offset + _members[middle].Size <= position)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }

    private sealed class OpenMember(DestinationFile file, long size)
    {
        private long _owed = size;

        public DestinationFile File { get; } = file;

        public bool Took(int bytes) => Interlocked.Add(ref _owed, -bytes) == 0;
    }
}
