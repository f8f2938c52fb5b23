using System.Buffers;
using System.Text.Json;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Repository.Documents;
using PgBackup.Storage;

namespace PgBackup.Repository;

/// <summary>
/// Guards against a wrong key, a missing key, and plain and encrypted objects in one repository: the first writer records how the repository is encrypted, with a
/// proof of the key; everybody later is held against it, in one small read.
/// </summary>
public static class RepositoryEncryption
{
    /// <summary>Where it is recorded.</summary>
    public const string DocumentKey = RepositoryLayout.PrivateFolder + "encryption.json";

    private static readonly byte[] s_knownText = "PgBackup key check"u8.ToArray();

    /// <summary>What is recorded; null when nothing is: the repository is new, or only wal-g wrote to it. Throws <c>DocumentInvalid</c>, <c>RepositoryNotFound</c>.</summary>
    public static async Task<EncryptionDocument?> ReadAsync(BackupRepository repository, CancellationToken cancellationToken = default)
    {
        byte[]? content = await repository.Store.TryReadAllAsync(DocumentKey, cancellationToken).ConfigureAwait(false);
        if (content is null)
            return null;
        try
        {
            return JsonSerializer.Deserialize(content, RepositoryJson.Default.EncryptionDocument) is { Version: > 0, Method: not null } document
                ? document
                : throw new JsonException("It names no method.");
        }
        catch (JsonException error)
        {
            throw PgErrors.DocumentInvalid(repository.Location, DocumentKey, error);
        }
    }

    /// <summary>
    /// For readers: proves that the key, or that there is none, fits what the repository holds; writes nothing. Where nothing is recorded a few objects are tried, and the
    /// key must open one. Throws <c>EncryptionKeyInvalid</c>, <c>EncryptionKeyRequired</c>, <c>RepositoryNotEncrypted</c>, <c>EncryptionMethodUnknown</c>,
    /// <c>DocumentInvalid</c>, <c>RepositoryNotFound</c>.
    /// </summary>
    public static async Task ProveAsync(BackupRepository repository, CancellationToken cancellationToken = default)
    {
        if (await ProveRecordedAsync(repository, cancellationToken).ConfigureAwait(false))
            return;
        EncryptionEvidence evidence = await EncryptionProbe.GatherAsync(repository, cancellationToken).ConfigureAwait(false);
        // A repository of wal-g may have become encrypted on the way: whatever the key opens can be restored, and so can the rest without it.
        if (evidence.IsEmpty || (repository.IsEncrypted ? evidence.FoundOpened : evidence.FoundPlain))
            return;
        throw Refusal(repository, evidence);
    }

    /// <summary>
    /// Like <see cref="ProveAsync"/>, but one read at most: where nothing is recorded nothing is proven, and the answer is false.
    /// </summary>
    public static async Task<bool> ProveRecordedAsync(BackupRepository repository, CancellationToken cancellationToken = default)
    {
        if (await ReadAsync(repository, cancellationToken).ConfigureAwait(false) is not { } document)
            return false;
        Prove(repository, document);
        return true;
    }

    /// <summary>
    /// For writers, before anything is written: proves the key as <see cref="ProveAsync"/> does, but does not let plain and encrypted objects come together. True when
    /// that is recorded, false when <see cref="RecordAsync"/> must follow; a repository that does not exist yet is fine. Throws also <c>EncryptionNotSupported</c>.
    /// </summary>
    public static async Task<bool> ProveForWritingAsync(BackupRepository repository, CancellationToken cancellationToken = default)
    {
        repository.ForeignDecryption?.RequireWritable();
        try
        {
            if (await ProveRecordedAsync(repository, cancellationToken).ConfigureAwait(false))
                return true;
            EncryptionEvidence evidence = await EncryptionProbe.GatherAsync(repository, cancellationToken).ConfigureAwait(false);
            if (evidence.IsEmpty || (repository.IsEncrypted ? evidence is { FoundOpened: true, FoundPlain: false } : evidence is { FoundPlain: true, FoundUnreadable: false }))
                return false;
            throw Refusal(repository, evidence);
        }
        catch (PgBackupException error) when (error.Id == "RepositoryNotFound")
        {
            return false; // The first write creates it.
        }
    }

    /// <summary>Records how the repository is encrypted from now on; of two at once one is first, and the other is held against it. Throws as <see cref="ProveAsync"/> does.</summary>
    public static async Task RecordAsync(BackupRepository repository, CancellationToken cancellationToken = default)
    {
        try
        {
            byte[] content = JsonSerializer.SerializeToUtf8Bytes(Describe(repository.Key), RepositoryJson.Default.EncryptionDocument);
            await repository.Store.PutAsync(DocumentKey, content, PutCondition.IfAbsent, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id == "ObjectExists")
        {
            // Another was first.
        }
        // Read again even when we were first: not every store keeps the condition of two puts at once.
        if (!await ProveRecordedAsync(repository, cancellationToken).ConfigureAwait(false))
            throw PgErrors.ObjectNotFound(repository.Location, DocumentKey);
    }

    private static EncryptionDocument Describe(EncryptionKey? key)
    {
        if (key is null)
            return new EncryptionDocument(EncryptionDocument.CurrentVersion, EncryptionDocument.NoMethod, null, null, DateTimeOffset.UtcNow);
        var check = new ArrayBufferWriter<byte>();
        using var encoder = new SecretStreamEncoder(key);
        encoder.Begin(check);
        encoder.Append(s_knownText, check);
        encoder.Complete(check);
        return new EncryptionDocument(
            EncryptionDocument.CurrentVersion, EncryptionDocument.SecretStreamMethod, key.Id, Convert.ToBase64String(check.WrittenSpan), DateTimeOffset.UtcNow);
    }

    private static void Prove(BackupRepository repository, EncryptionDocument document)
    {
        bool isPlain = document.Method == EncryptionDocument.NoMethod;
        if (document.Version > EncryptionDocument.CurrentVersion || (!isPlain && document.Method != EncryptionDocument.SecretStreamMethod))
            throw PgErrors.EncryptionMethodUnknown(repository.Location, DocumentKey, document.Version, document.Method);
        if (isPlain)
        {
            if (repository.IsEncrypted)
                throw PgErrors.RepositoryNotEncrypted(repository.Location);
            return;
        }
        if (repository.Key is not { } key || repository.ForeignDecryption is not null)
            throw PgErrors.EncryptionKeyRequired(repository.Location, document.KeyId);
        bool named = document.KeyId == key.Id;
        bool opens = Opens(repository, key, document.KeyCheck);
        if (!named && !opens)
            throw PgErrors.EncryptionKeyInvalid(repository.Location, document.KeyId ?? "unknown", key.Id);
        if (!named || !opens)
            throw PgErrors.DocumentInvalid(repository.Location, DocumentKey, new JsonException("Its key id and its key check are not of the same key."));
    }

    private static bool Opens(BackupRepository repository, EncryptionKey key, string? check)
    {
        try
        {
            byte[] stored = Convert.FromBase64String(check ?? "");
            using Stream reader = ObjectDecryption.With(key).Open(new MemoryStream(stored), DocumentKey);
            byte[] text = new byte[s_knownText.Length];
            return reader.ReadAtLeast(text, text.Length, throwOnEndOfStream: false) == text.Length && reader.ReadByte() < 0 && text.AsSpan().SequenceEqual(s_knownText);
        }
        catch (FormatException error)
        {
            throw PgErrors.DocumentInvalid(repository.Location, DocumentKey, error);
        }
        catch (PgBackupException error) when (error.Id is "EncryptionKeyInvalid" or "ObjectDamaged")
        {
            return false;
        }
    }

    private static PgBackupException Refusal(BackupRepository repository, EncryptionEvidence evidence)
    {
        if (!repository.IsEncrypted)
            return PgErrors.EncryptionKeyRequired(repository.Location, null);
        return evidence.FoundPlain
            ? PgErrors.RepositoryNotEncrypted(repository.Location)
            : PgErrors.EncryptionKeyOpensNothing(repository.Location, repository.Key?.Id ?? "PGP", evidence.Example!);
    }
}
