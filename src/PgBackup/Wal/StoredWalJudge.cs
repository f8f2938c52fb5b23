using System.Buffers;
using System.Text;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Postgres.WalRecords;
using PgBackup.Repository;

namespace PgBackup.Wal;

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
    private const int ProofObjects = 16;

    // Header and shortest chunk of a secretstream: no key opens less.
    private const int ShortestCiphertext = 24 + 17;

    /// <summary>
    /// Reads the object to its end. Throws <c>EncryptionKeyInvalid</c> when it may be that only the key is wrong: nobody may set an object
    /// aside for that.
    /// </summary>
    public static async Task<StoredWalState> JudgeAsync(BackupRepository repository, ArchivedWalFile stored, LocalWalFile local, CancellationToken cancellationToken)
    {
        PgBackupException? failure = null;
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
            failure = error;
        }
        if (await MayBeOfAnotherKeyAsync(repository, stored, failure, cancellationToken).ConfigureAwait(false)
            && !await KeyOpensOthersAsync(repository, stored, cancellationToken).ConfigureAwait(false))
            throw PgErrors.EncryptionKeyUnproven(repository.Location, stored.Object.Key, failure);
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

    /// <summary>Whether the failure could come from the key (or its lack) as well as from damage.</summary>
    private static async Task<bool> MayBeOfAnotherKeyAsync(
        BackupRepository repository, ArchivedWalFile stored, PgBackupException? failure, CancellationToken cancellationToken)
    {
        if (stored.Object.Size < ShortestCiphertext)
            return false;
        if (repository.Key is not null)
            return failure?.Id == "EncryptionKeyInvalid";
        byte[] head = new byte[ShortestCiphertext];
        Stream raw = await repository.Store.OpenReadAsync(stored.Object.Key, cancellationToken: cancellationToken).ConfigureAwait(false);
        await using (raw.ConfigureAwait(false))
        {
            int read = await raw.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
            return head.AsSpan(0, read).ContainsAnyExcept((byte)0) && !BeginsAs(stored.Method, head);
        }
    }

    // A ciphertext begins with 24 random bytes.
    private static bool BeginsAs(CompressionMethod method, ReadOnlySpan<byte> head) => method switch
    {
        CompressionMethod.Zstd => head.StartsWith((ReadOnlySpan<byte>)[0x28, 0xB5, 0x2F, 0xFD]) || head[1..].StartsWith((ReadOnlySpan<byte>)[0x2A, 0x4D, 0x18]),
        CompressionMethod.Lz4 => head.StartsWith((ReadOnlySpan<byte>)[0x04, 0x22, 0x4D, 0x18]),
        CompressionMethod.Gzip => head.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B]),
        CompressionMethod.None => WalSegmentHeader.TryRead(head) is not null || Ascii.IsValid(head),
        _ => false,
    };

    /// <summary>True when the configured key (or none) opens another segment of the archive: then it is the right one.</summary>
    private static async Task<bool> KeyOpensOthersAsync(BackupRepository repository, ArchivedWalFile except, CancellationToken cancellationToken)
    {
        int tried = 0;
        byte[] page = new byte[WalPageHeader.PageSize];
        await foreach (ArchivedWalFile other in WalArchive.ListAsync(repository, cancellationToken).ConfigureAwait(false))
        {
            if (other.File.Kind != WalFileKind.Segment || other.Object.Key == except.Object.Key)
                continue;
            try
            {
                Stream content = await repository.OpenDecodedAsync(other.Object.Key, cancellationToken).ConfigureAwait(false);
                await using (content.ConfigureAwait(false))
                {
                    int read = await content.ReadAtLeastAsync(page, page.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
                    if (WalSegmentHeader.TryRead(page.AsSpan(0, read)) is not null)
                        return true;
                }
            }
            catch (PgBackupException error) when (error.Id is "ObjectDamaged" or "EncryptionKeyInvalid" or "ObjectNotFound")
            {
                // Says nothing for the key; the next one may.
            }
            if (++tried == ProofObjects)
                break;
        }
        return false;
    }
}
