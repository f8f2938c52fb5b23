using System.Text;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Postgres.WalRecords;
using PgBackup.Storage;

namespace PgBackup.Repository;

/// <summary>What objects of a repository tell of its encryption, when nothing of ours says it.</summary>
/// <param name="Example">An object that was tried; null when there is none.</param>
/// <param name="FoundPlain">One of them is not encrypted.</param>
/// <param name="FoundOpened">One of them opens with the key.</param>
/// <param name="FoundUnreadable">One of them is neither: encrypted otherwise, or damaged.</param>
internal sealed record EncryptionEvidence(string? Example, bool FoundPlain, bool FoundOpened, bool FoundUnreadable)
{
    /// <summary>True when the repository holds nothing that could be tried.</summary>
    public bool IsEmpty => Example is null;
}

/// <summary>
/// Tries the key on the beginnings of a few small objects: repositories that wal-g wrote are known from the first moment. Several, because one may be damaged, which must not
/// look like a wrong key.
/// </summary>
internal static class EncryptionProbe
{
    private const int Backups = 2;
    private const int WalFiles = 4;
    private const int HeadLength = 512;

    // Header and shortest chunk of a secretstream: nothing encrypted is less.
    private const int ShortestCiphertext = 24 + 17;

    // Of a tar header: where "ustar" stands (POSIX ustar; also in GNU's and pax headers).
    private const int TarMagicOffset = 257;

    private enum Finding
    {
        Plain,
        Opened,
        Unreadable,
    }

    /// <summary>Looks at the newest backups and at some WAL files. Throws what the store throws.</summary>
    public static async Task<EncryptionEvidence> GatherAsync(BackupRepository repository, CancellationToken cancellationToken)
    {
        string? example = null;
        bool plain = false, opened = false, unreadable = false;
        await foreach (string key in CandidatesAsync(repository, cancellationToken).ConfigureAwait(false))
        {
            if (await TryAsync(repository, key, cancellationToken).ConfigureAwait(false) is not { } finding)
                continue;
            example ??= key;
            plain |= finding == Finding.Plain;
            opened |= finding == Finding.Opened;
            unreadable |= finding == Finding.Unreadable;
        }
        return new EncryptionEvidence(example, plain, opened, unreadable);
    }

    private static async IAsyncEnumerable<string> CandidatesAsync(
        BackupRepository repository, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var sentinels = new List<(DateTimeOffset Time, BackupName Name)>();
        await foreach (StoredObject item in repository.Store.ListAsync(RepositoryLayout.BackupFolder, recursive: false, cancellationToken).ConfigureAwait(false))
        {
            string file = item.Key[RepositoryLayout.BackupFolder.Length..];
            if (file.EndsWith(RepositoryLayout.SentinelSuffix, StringComparison.Ordinal)
                && BackupName.TryParse(file[..^RepositoryLayout.SentinelSuffix.Length], out BackupName? name))
                sentinels.Add((item.LastModified, name));
        }
        sentinels.Sort(static (a, b) => b.Time.CompareTo(a.Time));
        for (int i = 0; i < Math.Min(Backups, sentinels.Count); i++)
        {
            if (await SmallestPartAsync(repository, sentinels[i].Name, cancellationToken).ConfigureAwait(false) is { } part)
                yield return part;
        }
        int found = 0;
        await foreach (ArchivedWalFile file in WalArchive.ListAsync(repository, cancellationToken).ConfigureAwait(false))
        {
            if (file.Object.Size == 0)
                continue;
            yield return file.Object.Key;
            if (++found == WalFiles)
                break;
        }
    }

    // The part of backup_label, or that of the control file.
    private static async Task<string?> SmallestPartAsync(BackupRepository repository, BackupName name, CancellationToken cancellationToken)
    {
        StoredObject? smallest = null;
        await foreach (StoredObject item in repository.Store.ListAsync(RepositoryLayout.PartFolder(name), recursive: false, cancellationToken).ConfigureAwait(false))
        {
            if (item.Size > 0 && (smallest is null || item.Size < smallest.Value.Size))
                smallest = item;
        }
        return smallest?.Key;
    }

    /// <summary>Null when the object has vanished, or tells nothing.</summary>
    private static async Task<Finding?> TryAsync(BackupRepository repository, string key, CancellationToken cancellationToken)
    {
        if (repository.IsEncrypted)
        {
            if (await TryReadHeadAsync(repository, key, cancellationToken).ConfigureAwait(false) is not { } opened)
                return null;
            if (opened.Length > 0)
                return Finding.Opened;
        }
        if (await TryReadHeadAsync(repository with { Key = null, ForeignDecryption = null }, key, cancellationToken).ConfigureAwait(false) is not { } head)
            return null;
        return head.Length > 0 && IsPlausible(key, head) ? Finding.Plain : await JudgeUnreadableAsync(repository, key, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Null for what was torn and may have been anything; plain for what begins as its codec does, which a ciphertext's random bytes do not.</summary>
    private static async Task<Finding?> JudgeUnreadableAsync(BackupRepository repository, string key, CancellationToken cancellationToken)
    {
        byte[] head = new byte[ShortestCiphertext];
        try
        {
            Stream raw = await repository.Store.OpenReadAsync(key, 0, head.Length, cancellationToken).ConfigureAwait(false);
            await using (raw.ConfigureAwait(false))
            {
                int read = await raw.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
                if (read < head.Length || !head.AsSpan().ContainsAnyExcept((byte)0))
                    return null;
            }
        }
        catch (PgBackupException error) when (error.Id == "ObjectNotFound")
        {
            return null;
        }
        CompressionNames.TrySplit(key, out _, out CompressionMethod method);
        return BeginsAs(method, head) ? Finding.Plain : Finding.Unreadable;
    }

    private static bool BeginsAs(CompressionMethod method, ReadOnlySpan<byte> head) => method switch
    {
        CompressionMethod.Zstd => head.StartsWith((ReadOnlySpan<byte>)[0x28, 0xB5, 0x2F, 0xFD]) || head[1..].StartsWith((ReadOnlySpan<byte>)[0x2A, 0x4D, 0x18]),
        CompressionMethod.Lz4 => head.StartsWith((ReadOnlySpan<byte>)[0x04, 0x22, 0x4D, 0x18]),
        CompressionMethod.Gzip => head.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B]),
        _ => false,
    };

    /// <summary>The first bytes, decoded; none when it cannot be decoded, null when it is not there.</summary>
    private static async Task<byte[]?> TryReadHeadAsync(BackupRepository repository, string key, CancellationToken cancellationToken)
    {
        byte[] head = new byte[HeadLength];
        try
        {
            Stream content = await repository.OpenDecodedAsync(key, cancellationToken).ConfigureAwait(false);
            await using (content.ConfigureAwait(false))
                return head[..await content.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false)];
        }
        catch (PgBackupException error) when (error.Id is "ObjectDamaged" or "EncryptionKeyInvalid" or "CodecUnknown")
        {
            return [];
        }
        catch (PgBackupException error) when (error.Id == "ObjectNotFound")
        {
            return null;
        }
    }

    // A codec without a mark of its own makes something out of a ciphertext, too.
    private static bool IsPlausible(string key, ReadOnlySpan<byte> head)
    {
        CompressionNames.TrySplit(key, out _, out CompressionMethod method);
        return method is CompressionMethod.Zstd or CompressionMethod.Lz4 or CompressionMethod.Gzip
            || WalSegmentHeader.TryRead(head) is not null
            || (head.Length > TarMagicOffset + 5 && head[TarMagicOffset..].StartsWith("ustar"u8))
            || Ascii.IsValid(head);
    }
}
