using PgBackup.Platform;
using PgBackup.Repository.Documents;

namespace PgBackup.Restore.Fetching;

/// <summary>A part of a delta whose increments are fetched when the files' bases are written; its frames can be read alone.</summary>
internal sealed class DeferredPart
{
    private readonly long[] _storedStarts;

    /// <summary>Keeps where the frames lie, in the tar and in the object.</summary>
    public DeferredPart(OpenPart part)
    {
        (Key, Name, IsCompressed, Frames, Starts, Writer) = (part.Key, part.Name, part.IsCompressed, part.Frames, part.Starts, part.Writer);
        _storedStarts = new long[Frames.Count];
        long stored = 0;
        for (int i = 0; i < Frames.Count; i++)
        {
            _storedStarts[i] = stored;
            stored += Frames[i].Length;
        }
    }

    /// <summary>The part's object.</summary>
    public string Key { get; }

    /// <summary>Its name within the backup.</summary>
    public string Name { get; }

    /// <summary>Whether its frames are zstd's; else they are plain.</summary>
    public bool IsCompressed { get; }

    /// <summary>Its frames.</summary>
    public IReadOnlyList<IndexedFrame> Frames { get; }

    /// <summary>Where they begin in the tar.</summary>
    public FrameStarts Starts { get; }

    /// <summary>Who knows the backup, for errors.</summary>
    public MemberWriter Writer { get; }

    /// <summary>Where a frame begins in the object.</summary>
    public long StoredStartOf(int frame) => _storedStarts[frame];
}

/// <summary>An increment that was met and not written: its pages are laid over the file's base when that comes.</summary>
/// <param name="Part">The part that holds it.</param>
/// <param name="Member">The member's name in the tar.</param>
/// <param name="Offset">Where its content begins in the tar.</param>
/// <param name="Size">The bytes of its content.</param>
/// <param name="Mode">The file's permission bits.</param>
/// <param name="Modified">The file's modification time.</param>
/// <param name="Newer">The same file's increment of the next newer backup that has one.</param>
internal sealed record DeferredIncrement(DeferredPart Part, string Member, long Offset, long Size, UnixFileMode Mode, FileTime Modified, DeferredIncrement? Newer)
{
    /// <summary>Reads the header. Throws <c>BackupDamaged</c>, and what the store throws.</summary>
    public async Task<IncrementHeader> ReadHeaderAsync(IncrementFrames frames, CancellationToken cancellationToken)
    {
        int frame = Part.Starts.FrameAt(Offset);
        byte[] content = await frames.GetAsync(Part, frame, cancellationToken).ConfigureAwait(false);
        try
        {
            int at = (int)(Offset - Part.Starts[frame]);
            ReadOnlySpan<byte> data = content.AsSpan(at, (int)Math.Min(Size, content.Length - at));
            if (IncrementHeader.LengthOf(data) > data.Length)
                throw new InvalidDataException("Its block numbers do not lie in one frame.");
            return IncrementHeader.Parse(data, Size);
        }
        catch (InvalidDataException error)
        {
            throw Damaged(error);
        }
    }

    /// <summary>A fault of the increment, to be thrown.</summary>
    public Exception Damaged(InvalidDataException error) => Part.Writer.Damaged($"{Part.Name}: '{Member}': {error.Message}", error);
}
