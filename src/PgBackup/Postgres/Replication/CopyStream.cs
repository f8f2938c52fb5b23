using PgBackup.Platform;

namespace PgBackup.Postgres.Replication;

/// <summary>The bytes of one archive, out of CopyData messages. It ends where the next archive begins; failures are those of the catalogue.</summary>
internal sealed class CopyStream(BaseBackupStream backup) : ForwardReadStream
{
    private bool _ended;

    public override int Read(Span<byte> buffer)
    {
        byte[] rented = System.Buffers.ArrayPool<byte>.Shared.Rent(buffer.Length);
        try
        {
            int count = ReadAsync(rented.AsMemory(0, buffer.Length)).AsTask().GetAwaiter().GetResult();
            rented.AsSpan(0, count).CopyTo(buffer);
            return count;
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(rented);
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_ended || buffer.IsEmpty)
            return 0;
        int count = await backup.ReadArchiveAsync(buffer, cancellationToken).ConfigureAwait(false);
        _ended = count == 0;
        return count;
    }
}
