using System.IO.Hashing;
using PgBackup.Platform;
using PgBackup.Repository.Documents;

namespace PgBackup.Restore.Fetching;

/// <summary>Passes a part's plain bytes on, comparing each frame's checksum with the index. Throws <see cref="InvalidDataException"/> at the first that differs.</summary>
internal sealed class FrameHashStream(Stream source, IndexedPart part) : ForwardReadStream
{
    private readonly XxHash128 _hash = new();
    private int _frame;
    private int _inFrame;
    private bool _ended;

    public override int Read(Span<byte> buffer)
    {
        int read = source.Read(buffer);
        Take(buffer[..read]);
        return read;
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int read = await source.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        if (!buffer.IsEmpty)
            Take(buffer.Span[..read]);
        return read;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            source.Dispose();
        base.Dispose(disposing);
    }

    private void Take(ReadOnlySpan<byte> data)
    {
        if (data.IsEmpty)
        {
            if (!_ended && _frame < part.Frames.Count)
                throw new InvalidDataException($"It ends within frame {_frame + 1} of {part.Frames.Count}.");
            _ended = true;
            return;
        }
        while (!data.IsEmpty)
        {
            if (_frame == part.Frames.Count)
                throw new InvalidDataException("It is longer than its index says.");
            int take = Math.Min(data.Length, part.Frames[_frame].PlainLength - _inFrame);
            _hash.Append(data[..take]);
            data = data[take..];
            _inFrame += take;
            if (_inFrame == part.Frames[_frame].PlainLength)
                EndFrame();
        }
    }

    private void EndFrame()
    {
        Span<byte> value = stackalloc byte[16];
        _hash.GetHashAndReset(value);
        if (!string.Equals(Convert.ToHexStringLower(value), part.Frames[_frame].Hash, StringComparison.Ordinal))
            throw new InvalidDataException($"Frame {_frame + 1} does not have the checksum that its index says.");
        _frame++;
        _inFrame = 0;
    }
}
