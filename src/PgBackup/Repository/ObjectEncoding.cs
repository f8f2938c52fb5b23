using System.Buffers;
using PgBackup.Codecs;
using PgBackup.Storage;

namespace PgBackup.Repository;

/// <summary>Writes objects as the repository wants them: compressed as their name says, then encrypted when there is a key.</summary>
public static class ObjectEncoding
{
    /// <summary>
    /// Puts what <paramref name="write"/> produces under a key, compressed as the key's extension says and encrypted when there is a key, in bounded memory.
    /// </summary>
    public static async Task PutEncodedAsync(
        BackupRepository repository, string key, CompressionMethod method, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken = default)
    {
        ObjectWriter writer = await repository.Store.CreateAsync(key, PutCondition.None, cancellationToken).ConfigureAwait(false);
        await using (writer.ConfigureAwait(false))
        {
            var target = new ObjectWriterStream(writer, cancellationToken);
            Stream sealedTarget = repository.Key is null ? target : new SecretStreamWriter(target, repository.Key, leaveOpen: true);
            Stream compressed = StreamEncoder.Open(sealedTarget, method, leaveOpen: true);
            await using (compressed.ConfigureAwait(false))
                await write(compressed, cancellationToken).ConfigureAwait(false);
            if (sealedTarget != target)
                await sealedTarget.DisposeAsync().ConfigureAwait(false);
            await target.FlushAsync(cancellationToken).ConfigureAwait(false);
            await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>An object in flight as a stream; collects small writes.</summary>
    private sealed class ObjectWriterStream(ObjectWriter writer, CancellationToken cancellationToken) : Stream
    {
        private const int FlushFrom = 1 << 20;

        private readonly ArrayBufferWriter<byte> _pending = new(FlushFrom);

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            _pending.Write(buffer);
            if (_pending.WrittenCount >= FlushFrom)
                SendAsync().AsTask().GetAwaiter().GetResult(); // Compressors flush synchronously when they are disposed.
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken token = default)
        {
            _pending.Write(buffer.Span);
            if (_pending.WrittenCount >= FlushFrom)
                await SendAsync().ConfigureAwait(false);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken token) => WriteAsync(buffer.AsMemory(offset, count), token).AsTask();

        // Compressors flush often; the object is written out in large pieces, and at the end.
        public override void Flush()
        {
        }

        public override Task FlushAsync(CancellationToken token) => SendAsync().AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        private async ValueTask SendAsync()
        {
            if (_pending.WrittenCount == 0)
                return;
            await writer.WriteAsync(_pending.WrittenMemory, cancellationToken).ConfigureAwait(false);
            _pending.ResetWrittenCount();
        }
    }
}
