using System.Buffers;
using System.Text;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Postgres.WalRecords;

namespace PgBackup.Repository;

/// <summary>How an object of the archive stands to a file on disk.</summary>
internal enum StoredWalState
{
    /// <summary>It holds the same bytes.</summary>
    Same,

    /// <summary>It is a whole WAL file of that name with other bytes.</summary>
    Different,

    /// <summary>It cannot be read, or what it holds is no WAL file of that name.</summary>
    Damaged,

    /// <summary>It has vanished since it was listed.</summary>
    Gone,
}

/// <summary>Compares objects of the archive with a file on disk, on plaintext: ciphertexts and other codecs' outputs always differ.</summary>
internal static class StoredWalJudge
{
    private const int BufferSize = 1 << 20;

    /// <summary>
    /// Reads the object to its end. The key has been proven before: an object that it does not open is damaged.
    /// </summary>
    public static async Task<StoredWalState> JudgeAsync(BackupRepository repository, ArchivedWalFile stored, LocalWalFile local, CancellationToken cancellationToken)
    {
        try
        {
            (bool same, bool valid) = await CompareAsync(repository, stored, local, cancellationToken).ConfigureAwait(false);
            if (same)
                return StoredWalState.Same;
            if (valid)
                return StoredWalState.Different;
        }
        catch (PgBackupException error) when (error.Id == "ObjectNotFound")
        {
            return StoredWalState.Gone;
        }
        catch (PgBackupException error) when (error.Id is "ObjectDamaged" or "EncryptionKeyInvalid")
        {
            // Set aside and replaced by whoever asked.
        }
        return StoredWalState.Damaged;
    }

    private static async Task<(bool Same, bool Valid)> CompareAsync(
        BackupRepository repository, ArchivedWalFile stored, LocalWalFile local, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        byte[] expected = ArrayPool<byte>.Shared.Rent(BufferSize);
        byte[] head = new byte[WalContent.HeadSize];
        try
        {
            Stream content = await repository.OpenDecodedAsync(stored.Object.Key, cancellationToken).ConfigureAwait(false);
            await using (content.ConfigureAwait(false))
            {
                long length = 0;
                bool same = true;
                int read;
                while ((read = await content.ReadAsync(buffer.AsMemory(0, BufferSize), cancellationToken).ConfigureAwait(false)) > 0)
                {
                    if (length < head.Length)
                        buffer.AsSpan(0, (int)Math.Min(read, head.Length - length)).CopyTo(head.AsSpan((int)length));
                    same = same && local.Read(expected.AsSpan(0, read), length) == read && buffer.AsSpan(0, read).SequenceEqual(expected.AsSpan(0, read));
                    length += read;
                    // No WAL file is longer; whatever this is need not be unpacked to its end.
                    if (length > 1 << 30)
                        return (false, false);
                }
                same &= length == local.Length;
                bool valid = same || WalContent.FindFault(stored.File, head.AsSpan(0, (int)Math.Min(length, head.Length)), length, out _) is null;
                return (same, valid);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            ArrayPool<byte>.Shared.Return(expected);
        }
    }
}
