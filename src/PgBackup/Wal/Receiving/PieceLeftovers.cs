using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Repository;
using PgBackup.Repository.Pieces;

namespace PgBackup.Wal.Receiving;

/// <summary>
/// Pieces of segments that are there whole: what a receiver that was killed between storing a segment and deleting its pieces has left, or archive_command has made needless.
/// </summary>
internal static class PieceLeftovers
{
    private const int BufferSize = 256 << 10;

    /// <summary>Deletes those whose bytes the whole segment has, which is read for it: its name alone proves nothing.</summary>
    public static async Task RemoveAsync(BackupRepository repository, ulong systemIdentifier, WalInventory inventory, IOperationLog log, CancellationToken cancellationToken)
    {
        var pieces = new List<WalPiece>();
        await foreach (WalPiece piece in WalPieces.ListAsync(repository, systemIdentifier, cancellationToken).ConfigureAwait(false))
            pieces.Add(piece);
        foreach (IGrouping<WalSegmentName, WalPiece> needless in pieces.GroupBy(p => p.Segment))
        {
            if (inventory.KeyOf(needless.Key) is not { } key)
                continue;
            if (await FindFaultAsync(repository, systemIdentifier, needless.Key, key, log, cancellationToken).ConfigureAwait(false) is { } fault)
                log.Warning($"The pieces of {needless.Key} stay in the repository, although it is stored whole: {fault}");
            else
                await WalPieces.DeleteAsync(repository, [.. needless], cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<string?> FindFaultAsync(
        BackupRepository repository, ulong systemIdentifier, WalSegmentName segment, string key, IOperationLog log, CancellationToken cancellationToken)
    {
        FileStream held = NamelessFile.Open();
        await using (held.ConfigureAwait(false))
        {
            WalPiecePrefix? prefix = await WalPieceReader.AssembleAsync(repository, systemIdentifier, segment, held.SafeFileHandle, log, cancellationToken).ConfigureAwait(false);
            int end = prefix?.End ?? 0;
            byte[] whole = new byte[BufferSize], part = new byte[BufferSize];
            long offset = 0;
            try
            {
                Stream content = await repository.OpenDecodedAsync(key, cancellationToken).ConfigureAwait(false);
                await using (content.ConfigureAwait(false))
                {
                    int read;
                    while ((read = await content.ReadAtLeastAsync(whole, BufferSize, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false)) > 0)
                    {
                        int count = (int)Math.Clamp(end - offset, 0, read);
                        if (count > 0 && (RandomAccess.Read(held.SafeFileHandle, part.AsSpan(0, count), offset) != count || !whole.AsSpan(0, count).SequenceEqual(part.AsSpan(0, count))))
                            return $"the object '{key}' differs from them. Find out who stored it.";
                        offset += read;
                    }
                }
            }
            catch (PgBackupException error) when (error.Id is "ObjectDamaged" or "ObjectNotFound" or "EncryptionKeyInvalid")
            {
                return error.Message;
            }
            return offset >= end ? null : $"the object '{key}' is shorter than they are.";
        }
    }
}
