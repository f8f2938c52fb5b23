using PgBackup.Postgres;

namespace PgBackup.Backup.Remote;

/// <summary>The content of the member that is being received; its CRC-32C is taken on the way.</summary>
internal sealed class ReceivedContent(ServerTar tar, long size)
{
    /// <summary>The bytes that are still to come.</summary>
    public long Left { get; private set; } = size;

    /// <summary>The state of the checksum over what has come (<see cref="Crc32C"/>).</summary>
    public uint State { get; private set; } = Crc32C.Start;

    /// <summary>Fills the buffer, which is not larger than what is left.</summary>
    public async ValueTask ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        await tar.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        State = Crc32C.Append(State, buffer.Span);
        Left -= buffer.Length;
    }
}
