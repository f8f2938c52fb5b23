using System.Buffers;

namespace PgBackup.Backup.Packing;

/// <summary>The plain bytes of a frame: pooled, growing when a file turns out larger than it was listed.</summary>
internal sealed class FrameBuffer : IBufferWriter<byte>, IDisposable
{
    private readonly ArrayPool<byte> _pool;
    private byte[] _bytes;

    public FrameBuffer(ArrayPool<byte> pool, int capacity)
    {
        _pool = pool;
        _bytes = pool.Rent(capacity);
    }

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    public void Advance(int count) => Length += count;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Ensure(sizeHint);
        return _bytes.AsMemory(Length);
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Ensure(sizeHint);
        return _bytes.AsSpan(Length);
    }

    /// <summary>Bytes that were written, to be looked at again.</summary>
    public Memory<byte> Slice(int offset, int length) => _bytes.AsMemory(offset, length);

    public void Dispose()
    {
        byte[] bytes = _bytes;
        _bytes = [];
        Length = 0;
        if (bytes.Length > 0)
            _pool.Return(bytes);
    }

    private void Ensure(int more)
    {
        int needed = checked(Length + Math.Max(more, 1));
        if (needed <= _bytes.Length)
            return;
        byte[] larger = _pool.Rent(Math.Max(needed, _bytes.Length * 2));
        Written.CopyTo(larger);
        _pool.Return(_bytes);
        _bytes = larger;
    }
}
