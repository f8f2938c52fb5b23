using PgBackup.Errors;
using PgBackup.Postgres.WalRecords;
using PgBackup.Repository.Pieces;

namespace PgBackup.Repository;

/// <summary>
/// The archive's segments, decrypted and decompressed, for a <see cref="WalRecordReader"/>. A segment of which there are pieces only is put together from them, with zeros
/// behind.
/// </summary>
public sealed class ArchivedWalSource(BackupRepository repository, WalInventory inventory) : IWalSegmentSource
{
    /// <inheritdoc/>
    public async Task<Stream?> OpenAsync(WalSegmentName segment, CancellationToken cancellationToken)
    {
        if (inventory.KeyOf(segment) is { } key)
            return await repository.OpenDecodedAsync(key, cancellationToken).ConfigureAwait(false);
        if (inventory.TailOf(segment) is not { } tail)
            return null;
        PgBackupException? fault = null;
        try
        {
            AssembledWal? pieces = await WalPieceReader.TryOpenAsync(repository, tail.SystemIdentifier, segment, OperationLog.None, cancellationToken).ConfigureAwait(false);
            if (pieces is not null)
                return pieces.Content;
        }
        catch (PgBackupException error) when (WalPieceReader.IsShort(error))
        {
            fault = error;
        }
        // A receiver that has got on since the archive was listed has stored the whole segment before it deleted the pieces.
        if (WalFileName.TryParse(segment.ToString(), out WalFileName? file)
            && await WalArchive.FindAsync(repository, file, cancellationToken).ConfigureAwait(false) is [var whole, ..])
            return await repository.OpenDecodedAsync(whole.Object.Key, cancellationToken).ConfigureAwait(false);
        throw fault ?? PgErrors.ObjectNotFound(repository.Location, WalPiece.FolderOf(tail.SystemIdentifier, segment));
    }
}
