using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Postgres.WalRecords;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Storage;

namespace PgBackup.Verification.Doctor;

/// <summary>
/// Whether the key that is given, or none, fits what is there: by what the repository records of its encryption, and by objects themselves, because wal-g records nothing
/// and asks nobody.
/// </summary>
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
        await RepositoryEncryption.ProveAsync(repository, cancellationToken).ConfigureAwait(false); // What does not fit is thrown, and told as it is everywhere.
        EncryptionDocument? recorded = await RepositoryEncryption.ReadAsync(repository, cancellationToken).ConfigureAwait(false);
        var found = new List<(string Key, Sample Sample)>();
        foreach (string key in await SamplesAsync(context, cancellationToken).ConfigureAwait(false))
        {
            if (await TryAsync(repository, key, cancellationToken).ConfigureAwait(false) is { } sample)
                found.Add((key, sample));
        }
        Sample expected = repository.IsEncrypted ? Sample.Opens : Sample.Plain;
        string record = recorded?.KeyId is { } id ? $" The key is {id}." : "";
        if (found.Exists(f => f.Sample != expected))
        {
            (string key, Sample sample) = found.Find(f => f.Sample != expected);
            return CheckFinding.Failed(
                sample == Sample.Plain
                    ? $"Plain and encrypted objects lie side by side: '{key}' is not encrypted, others are.{record}"
                    : $"'{key}' cannot be read {(repository.IsEncrypted ? "with this key" : "without a key")}, but others can: it is encrypted otherwise, or damaged.{record}",
                "Find out who writes here with other settings (wal-g, another archive_command); give each its own repository, and take a new full backup.");
        }
        string tried = found.Count == 0 ? "; there is nothing yet to try it on" : $" ({Text.Count(found.Count, "object", "objects")} tried)";
        return CheckFinding.Passed(repository.IsEncrypted ? $"The key fits{tried}.{record}" : $"Nothing is encrypted, and no key is given{tried}.");
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
            if (repository.IsEncrypted && await OpensAsync(repository, key, cancellationToken).ConfigureAwait(false))
                return Sample.Opens;
            return await OpensAsync(repository with { Key = null, ForeignDecryption = null }, key, cancellationToken).ConfigureAwait(false) ? Sample.Plain : Sample.Neither;
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
