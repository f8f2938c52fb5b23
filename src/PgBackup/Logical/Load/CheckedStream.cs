using System.IO.Hashing;
using PgBackup.Errors;
using PgBackup.Repository.Dumps;

namespace PgBackup.Logical.Load;

/// <summary>A dump's object as it is read: its end is told only when size and XXH128 are those of the manifest; else <c>ObjectDamaged</c> is raised there.</summary>
internal sealed class CheckedStream(Stream content, DumpObject expected, string key) : Stream
{
    private readonly XxHash128 _hash = new();
    private long _size;
    private bool _ended;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer) => buffer.IsEmpty ? 0 : Take(buffer[..content.Read(buffer)]);

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
            return 0;
        int count = await content.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        return Take(buffer.Span[..count]);
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush()
    {
    }

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override async ValueTask DisposeAsync()
    {
        await content.DisposeAsync().ConfigureAwait(false);
        await base.DisposeAsync().ConfigureAwait(false);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            content.Dispose();
        base.Dispose(disposing);
    }

    private int Take(ReadOnlySpan<byte> bytes)
    {
        _hash.Append(bytes);
        _size += bytes.Length;
        if (bytes.IsEmpty && !_ended)
        {
            if (_size != expected.UncompressedSize)
                throw PgErrors.ObjectDamaged(key, $"it has {_size} bytes, and the manifest says {expected.UncompressedSize}");
            if (Convert.ToHexStringLower(_hash.GetCurrentHash()) != expected.Hash)
                throw PgErrors.ObjectDamaged(key, "its XXH128 is not the manifest's");
            _ended = true;
        }
        return bytes.Length;
    }
}
