using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Postgres.WalRecords;
using PgBackup.Repository;
using PgBackup.Storage;

namespace PgBackup.Verification.Doctor;

/// <summary>Whether the key that is given, or none, fits what is there: the newest and the oldest of the recent backups and some WAL are tried.</summary>
internal static class EncryptionCheck
{
    private const int HeadSize = 512;
    private const int MostParts = 2000;

    private enum Sample
    {
        Opens,
        Plain,
        Neither,
    }

    public static async Task<CheckFinding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        BackupRepository repository = context.Repository;
        List<string> keys = await SamplesAsync(context, cancellationToken).ConfigureAwait(false);
        var found = new List<(string Key, Sample Sample)>(keys.Count);
        foreach (string key in keys)
        {
            if (await TryAsync(repository, key, cancellationToken).ConfigureAwait(false) is { } sample)
                found.Add((key, sample));
        }
        string[] plain = [.. found.Where(f => f.Sample == Sample.Plain).Select(f => f.Key)], unread = [.. found.Where(f => f.Sample == Sample.Neither).Select(f => f.Key)];
        return (repository.Key, found.Count) switch
        {
            (null, 0) => CheckFinding.Passed("There is nothing yet, and nothing will be encrypted: no key is given."),
            (null, _) when unread.Length == 0 => CheckFinding.Passed($"Nothing is encrypted, and no key is given ({Text.Count(found.Count, "object", "objects")} tried)."),
            (null, _) => CheckFinding.Failed(
                $"'{unread[0]}' cannot be read without a key: it is encrypted, or damaged.",
                "Give the key that the repository was written with: -EncryptionKey, WALG_LIBSODIUM_KEY or WALG_LIBSODIUM_KEY_PATH."),
            (_, 0) => CheckFinding.Passed("There is nothing yet on which the key could be proven; all that will be written will be encrypted."),
            (_, _) when unread.Length > 0 => CheckFinding.Failed(PgErrors.EncryptionKeyInvalid(unread[0])),
            (_, _) when plain.Length > 0 => CheckFinding.Failed(
                $"A key is given, but '{plain[0]}' is not encrypted: with the key it cannot be read.",
                "Take an empty prefix for what is encrypted, and read what is here without the key (unset WALG_LIBSODIUM_KEY and WALG_LIBSODIUM_KEY_PATH)."),
            _ => CheckFinding.Passed($"The key opens what is there ({Text.Count(found.Count, "object", "objects")} tried)."),
        };
    }

    private static async Task<List<string>> SamplesAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        var keys = new List<string>();
        IReadOnlyList<RecentBackup> backups = (await context.BackupsAsync(cancellationToken).ConfigureAwait(false)).Newest;
        foreach (RecentBackup backup in backups.Count < 2 ? backups : [backups[0], backups[^1]])
        {
            if (await ControlPartAsync(context.Store, backup.Name, cancellationToken).ConfigureAwait(false) is { } key)
                keys.Add(key);
        }
        keys.AddRange((await context.WalAsync(cancellationToken).ConfigureAwait(false)).NewestSegments.Select(s => s.Object.Key));
        return keys;
    }

    // The smallest part, which every backup has.
    private static async Task<string?> ControlPartAsync(IObjectStore store, BackupName name, CancellationToken cancellationToken)
    {
        string folder = RepositoryLayout.PartFolder(name);
        int seen = 0;
        await foreach (StoredObject item in store.ListAsync(folder, recursive: false, cancellationToken).ConfigureAwait(false))
        {
            if (item.Key.AsSpan(folder.Length).StartsWith("pg_control.", StringComparison.Ordinal))
                return item.Key;
            if (++seen == MostParts)
                break;
        }
        return null;
    }

    /// <summary>Null when the object has gone meanwhile, or is of a kind that cannot be read at all.</summary>
    private static async Task<Sample?> TryAsync(BackupRepository repository, string key, CancellationToken cancellationToken)
    {
        try
        {
            if (repository.Key is not null && await OpensAsync(repository, key, cancellationToken).ConfigureAwait(false))
                return Sample.Opens;
            return await OpensAsync(repository with { Key = null }, key, cancellationToken).ConfigureAwait(false) ? Sample.Plain : Sample.Neither;
        }
        catch (PgBackupException error) when (error.Id is "ObjectNotFound" or "CodecUnknown")
        {
            return null;
        }
    }

    private static async Task<bool> OpensAsync(BackupRepository repository, string key, CancellationToken cancellationToken)
    {
        byte[] head = new byte[HeadSize];
        try
        {
            Stream source = await repository.OpenDecodedAsync(key, cancellationToken).ConfigureAwait(false);
            await using (source.ConfigureAwait(false))
            {
                int read = await source.ReadAtLeastAsync(head, HeadSize, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
                // What is not compressed gives itself away by nothing but its content.
                return CompressionNames.TrySplit(key, out _, out CompressionMethod method)
                    && (method != CompressionMethod.None || WalSegmentHeader.TryRead(head.AsSpan(0, read)) is not null || IsTar(head.AsSpan(0, read)));
            }
        }
        catch (PgBackupException error) when (error.Id is "EncryptionKeyInvalid" or "ObjectDamaged")
        {
            return false;
        }
    }

    // POSIX pax: the magic of a header stands at byte 257.
    private static bool IsTar(ReadOnlySpan<byte> head) => head.Length >= 262 && head[257..262].SequenceEqual("ustar"u8);
}
