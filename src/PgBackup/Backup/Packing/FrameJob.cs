using System.Buffers;
using System.IO.Hashing;
using PgBackup.Backup.Reading;
using PgBackup.Codecs;
using PgBackup.Platform;
using PgBackup.Repository.Documents;

namespace PgBackup.Backup.Packing;

/// <summary>
/// One frame of a part on its way: planned in order, filled and compressed by any worker, appended in order. It holds either many whole members or one
/// piece of a big file.
/// </summary>
internal class FrameJob
{
    private readonly TaskCompletionSource _filled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ArrayPool<byte>? _pool;

    /// <summary>Folders, small files and small increments, whole, in order. Empty for a piece of a big file.</summary>
    public List<SelectedMember> Members { get; } = [];

    /// <summary>The files that came by and that the parent has as they are; they are listed, not packed.</summary>
    public List<PackedMember> Skipped { get; } = [];

    /// <summary>The big file whose header stands at the end of this frame.</summary>
    public BigFile? HeaderOf { get; set; }

    /// <summary>The big file of which this frame is a piece.</summary>
    public BigFile? PieceOf { get; set; }

    /// <summary>Where the piece begins in its member's content.</summary>
    public long PieceOffset { get; set; }

    /// <summary>The bytes of the piece.</summary>
    public int PieceLength { get; set; }

    /// <summary>True while more of a big file is to come.</summary>
    public virtual bool LeavesFileOpen => HeaderOf is not null || (PieceOf is { } file && PieceOffset + PieceLength < file.ContentLength);

    /// <summary>True for the last frame of a part, which the tar's end follows.</summary>
    public bool EndsPart { get; set; }

    /// <summary>The plain bytes; valid once filled.</summary>
    public FrameBuffer? Plain { get; set; }

    /// <summary>The compressed bytes; valid once filled.</summary>
    public byte[]? Encoded { get; private set; }

    /// <summary>How many bytes of <see cref="Encoded"/> count.</summary>
    public int EncodedLength { get; private set; }

    /// <summary>XXH128 of the plain bytes, in hexadecimal.</summary>
    public string Hash { get; private set; } = "";

    /// <summary>The members whose content begins in (or, for a big file, right behind) this frame, with offsets from the frame's start.</summary>
    public List<PackedMember> Packed { get; } = [];

    /// <summary>Ends when a worker has filled the frame; carries its failure.</summary>
    public Task Filled => _filled.Task;

    /// <summary>The bytes of source files that are read for this frame, as planned.</summary>
    public long PlannedBytes { get; set; }

    /// <summary>The bytes of source files that are done with when this frame is, those that are not read included; for the progress.</summary>
    public long SettledBytes { get; set; }

    /// <summary>Hashes and compresses the plain bytes.</summary>
    public void Encode(PartEncoder encoder, ArrayPool<byte> pool)
    {
        FrameBuffer plain = Plain!;
        _pool = pool;
        Hash = Convert.ToHexStringLower(XxHash128.Hash(plain.Written));
        Encoded = pool.Rent(encoder.MaxEncodedLength(plain.Length));
        EncodedLength = encoder.Encode(plain.Written, Encoded);
    }

    public void SetFilled() => _filled.TrySetResult();

    /// <summary>Gives back what the frame holds.</summary>
    public void Release()
    {
        Plain?.Dispose();
        Plain = null;
        if (Encoded is not null)
            _pool!.Return(Encoded);
        Encoded = null;
        PieceOf?.Dispose();
        HeaderOf?.Dispose();
    }

    public void SetFailed(Exception error)
    {
        _filled.TrySetException(error);
        _ = _filled.Task.Exception; // Seen: the worker itself ends with it, and nobody may be waiting here any more.
    }
}

/// <summary>A member as it stands in a frame.</summary>
/// <param name="Member">What the index says of it; its offset counts from the frame's start.</param>
/// <param name="Modified">Its time to the nanosecond.</param>
/// <param name="FileSize">The bytes of the file itself, of which an increment holds a part and a skipped one nothing.</param>
/// <param name="Notes">What was noted of the file's pages; for a big file complete when its last piece has been filled.</param>
/// <param name="IsSkipped">True for a file that the parent has as it is; it is in no part.</param>
/// <param name="Known">What is known of its pages; for a skipped file alone.</param>
internal sealed record PackedMember(IndexedMember Member, FileTime Modified, long FileSize, PageNotes? Notes, bool IsSkipped = false, NotedPages? Known = null);
