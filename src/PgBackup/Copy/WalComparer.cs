using System.Buffers;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Storage;

namespace PgBackup.Copy;

/// <summary>Tells whether two objects of two archives hold the same WAL file, however each is compressed and encrypted.</summary>
internal static class WalComparer
{
    private const int BufferSize = 256 * 1024;

    /// <summary>Returns when they hold the same. Throws <c>WalContentConflict</c>.</summary>
    public static async Task RequireSameAsync(
        BackupRepository source, string sourceKey, BackupRepository target, string targetKey, CancellationToken cancellationToken)
    {
        // One key, proven before, opens both; it need not be given on both sides.
        BackupRepository keyed = target.IsEncrypted ? target : source;
        BackupRepository from = source with { Key = keyed.Key, ForeignDecryption = keyed.ForeignDecryption }, to = target with { Key = keyed.Key, ForeignDecryption = keyed.ForeignDecryption };
        try
        {
            if (!await SameAsync(from, sourceKey, to, targetKey, cancellationToken).ConfigureAwait(false))
                throw PgErrors.CopyWalConflict(source.Location, target.Location, sourceKey, targetKey);
        }
        catch (PgBackupException error) when (error.Id is "EncryptionKeyInvalid" or "ObjectDamaged" or "CodecUnknown")
        {
            throw PgErrors.CopyWalIncomparable(source.Location, target.Location, sourceKey, targetKey, error);
        }
    }

    /// <summary>Whether two objects have the same bytes as they are stored.</summary>
    public static async Task<bool> SameBytesAsync(IObjectStore source, IObjectStore target, string key, CancellationToken cancellationToken)
    {
        Stream one = await source.OpenReadAsync(key, cancellationToken: cancellationToken).ConfigureAwait(false);
        await using (one.ConfigureAwait(false))
        {
            Stream other = await target.OpenReadAsync(key, cancellationToken: cancellationToken).ConfigureAwait(false);
            await using (other.ConfigureAwait(false))
                return await SameAsync(one, other, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<bool> SameAsync(
        BackupRepository source, string sourceKey, BackupRepository target, string targetKey, CancellationToken cancellationToken)
    {
        Stream one = await source.OpenDecodedAsync(sourceKey, cancellationToken).ConfigureAwait(false);
        await using (one.ConfigureAwait(false))
        {
            Stream other = await target.OpenDecodedAsync(targetKey, cancellationToken).ConfigureAwait(false);
            await using (other.ConfigureAwait(false))
                return await SameAsync(one, other, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<bool> SameAsync(Stream one, Stream other, CancellationToken cancellationToken)
    {
        byte[] left = ArrayPool<byte>.Shared.Rent(BufferSize);
        byte[] right = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            while (true)
            {
                int read = await one.ReadAtLeastAsync(left.AsMemory(0, BufferSize), BufferSize, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
                int met = await other.ReadAtLeastAsync(right.AsMemory(0, BufferSize), BufferSize, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
                if (read != met || !left.AsSpan(0, read).SequenceEqual(right.AsSpan(0, met)))
                    return false;
                if (read == 0)
                    return true;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(left);
            ArrayPool<byte>.Shared.Return(right);
        }
    }
}
