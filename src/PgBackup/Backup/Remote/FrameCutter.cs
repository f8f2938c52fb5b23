using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using PgBackup.Backup.Packing;
using PgBackup.Backup.Reading;
using PgBackup.Platform;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Backup.Remote;

/// <summary>
/// Lays members out in frames and parts by the measures of <see cref="FramePlanner"/>, while their content comes: small neighbours share a frame, a big member has
/// frames of its own, behind the one with its header. What is finished is handed out by <see cref="TryTake"/>.
/// </summary>
internal sealed class FrameCutter(long partSize) : IDisposable
{
    // Not the shared pool: frames are filled here and given back by another thread.
    private readonly ArrayPool<byte> _pool = ArrayPool<byte>.Create(16 << 20, 64);
    private readonly Queue<ReceivedFrame> _finished = new();
    private ReceivedFrame? _frame;
    private long _frameBytes;
    private long _partBytes;
    private int _partMembers;

    /// <summary>The buffers of the frames, for what is compressed of them.</summary>
    public ArrayPool<byte> Pool => _pool;

    private ReceivedFrame Frame => _frame ??= new ReceivedFrame { Plain = new FrameBuffer(_pool, FramePlanner.FrameSize + (64 << 10)) };

    /// <summary>Takes a frame that is finished.</summary>
    public bool TryTake([NotNullWhen(true)] out ReceivedFrame? frame) => _finished.TryDequeue(out frame);

    /// <summary>Adds a folder.</summary>
    public void AddFolder(string member, int permissions, FileTime modified)
    {
        BeginMember(0);
        TarHeader.WriteDirectory(Frame.Plain!, member, permissions, modified.Seconds);
        Frame.Packed.Add(new PackedMember(Indexed(member, 0, permissions, modified, MemberKind.Directory), modified, 0, null));
    }

    /// <summary>Adds a file's header; its content follows in pieces by <see cref="Reserve"/> and <see cref="Advance"/>, then <see cref="EndFile"/>.</summary>
    /// <returns>The most that a piece may hold.</returns>
    public int BeginFile(string member, long length, int permissions, FileTime modified, long fileSize, MemberKind kind, PageNotes? notes)
    {
        bool isBig = length >= FramePlanner.BigFileFrom;
        BeginMember(isBig ? 0 : length);
        TarHeader.WriteFile(Frame.Plain!, member, length, permissions, modified.Seconds);
        Frame.Packed.Add(new PackedMember(Indexed(member, length, permissions, modified, kind), modified, fileSize, notes));
        if (isBig)
            _partBytes += length;
        return isBig ? FramePlanner.FrameSize : (int)length;
    }

    /// <summary>Lists a file that the parent has as it is.</summary>
    public void AddSkipped(string member, int permissions, FileTime modified, long fileSize, NotedPages known)
    {
        Frame.Skipped.Add(new PackedMember(Indexed(member, 0, permissions, modified, MemberKind.File), modified, fileSize, null, IsSkipped: true, known));
        if (Frame.Skipped.Count >= FramePlanner.SkippedPerFrame)
            Finish();
    }

    /// <summary>Begins a frame of its own for the next piece of a big file.</summary>
    public void BeginPiece()
    {
        Frame.FileGoesOn = true;
        Finish();
    }

    /// <summary>Room for content; it counts when <see cref="Advance"/> says so.</summary>
    public Memory<byte> Reserve(int length) => Frame.Plain!.GetMemory(length)[..length];

    /// <summary>Room that was written; pages in it are looked at before the frame is compressed.</summary>
    public void Advance(int length, long fileOffset, RelationPath relation, PageNotes? notes)
    {
        if (notes is not null)
            Frame.Pages.Add(new ReceivedPages(Frame.Plain!.Length, length, fileOffset, relation, notes));
        Frame.Plain!.Advance(length);
        Frame.SettledBytes += length;
    }

    /// <summary>Adds what stands before the pages of an increment; it is in the frame of its header.</summary>
    public void WriteHeader(Increment increment) => increment.WriteHeader(Frame.Plain!);

    /// <summary>Counts bytes that came and are not stored, for the progress.</summary>
    public void Settle(long bytes) => Frame.SettledBytes += bytes;

    /// <summary>Ends a file.</summary>
    public void EndFile(long length)
    {
        TarHeader.WriteZeros(Frame.Plain!, TarHeader.PaddingOf(length));
        if (length >= FramePlanner.BigFileFrom)
            Finish();
    }

    /// <summary>Ends the last part.</summary>
    public void EndPart()
    {
        TarHeader.WriteZeros(Frame.Plain!, TarHeader.TrailerLength);
        Frame.EndsPart = true;
        Finish();
        (_partBytes, _partMembers) = (0, 0);
    }

    /// <summary>Gives back what was not handed out.</summary>
    public void Dispose()
    {
        _frame?.Release();
        while (_finished.TryDequeue(out ReceivedFrame? frame))
            frame.Release();
    }

    private void BeginMember(long length)
    {
        if (_partBytes >= partSize || _partMembers >= FramePlanner.MembersPerPart)
            EndPart();
        _partMembers++;
        long cost = TarHeader.BlockSize + length;
        if (_frameBytes + cost > FramePlanner.FrameSize)
            Finish();
        _frameBytes += cost;
        _partBytes += cost;
    }

    // Behind the header, in the frame.
    private IndexedMember Indexed(string member, long length, int permissions, FileTime modified, MemberKind kind) =>
        new(member, Frame.Plain!.Length, length, permissions, modified.ToNanoseconds(), kind);

    private void Finish()
    {
        if (_frame is null)
            return;
        _finished.Enqueue(_frame);
        (_frame, _frameBytes) = (null, 0);
    }
}
