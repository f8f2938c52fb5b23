using PgBackup.Repository.Documents;

namespace PgBackup.Restore.Fetching;

/// <summary>Where the frames of a part begin in its tar.</summary>
internal sealed class FrameStarts
{
    private readonly long[] _starts;

    /// <summary>Adds up the frames.</summary>
    public FrameStarts(IReadOnlyList<IndexedFrame> frames)
    {
        _starts = new long[frames.Count + 1];
        for (int i = 0; i < frames.Count; i++)
            _starts[i + 1] = _starts[i] + frames[i].PlainLength;
    }

    /// <summary>Where a frame begins; for the one after the last, where the tar ends.</summary>
    public long this[int frame] => _starts[frame];

    /// <summary>The frame that holds a byte of the tar.</summary>
    public int FrameAt(long position)
    {
        int found = Array.BinarySearch(_starts, position);
        if (found < 0)
            return ~found - 1;
        // Of several that begin there (an empty frame, then a full one) the last.
        while (found + 1 < _starts.Length && _starts[found + 1] <= position)
            found++;
        return found;
    }
}
