using System.Diagnostics;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Storage;

namespace PgBackup.Wal.Push;

/// <summary>Puts WAL files into the archive: what <c>archive_command</c> does. One for all files of a server, which may be pushed side by side.</summary>
/// <param name="repository">Where to.</param>
/// <param name="log">Where to say what is done.</param>
public sealed class WalPush(BackupRepository repository, IOperationLog? log = null)
{
    // Whoever loses a race looks again; each round means that another pusher got on.
    private const int Attempts = 5;

    private readonly IOperationLog _log = log ?? OperationLog.None;
    private readonly SharedAdmission _admission = new(repository);
    private readonly UnfinishedSegments _unfinished = new(repository, log ?? OperationLog.None);

    /// <summary>True when whoever pushes knows that its segments are finished, as the receiver does, and that pieces of them are its own.</summary>
    internal bool KnowsFinished { get; init; }

    /// <summary>Stores one file, as <see cref="PushAsync(string, CancellationToken)"/> does.</summary>
    public static Task<WalPushResult> PushAsync(BackupRepository repository, string path, IOperationLog? log = null, CancellationToken cancellationToken = default) =>
        new WalPush(repository, log).PushAsync(path, cancellationToken);

    /// <summary>
    /// Stores one file (a segment, <c>.history</c>, <c>.backup</c>, <c>.partial</c>) and returns when it is durable and was read back. The same content again succeeds.
    /// A segment that is not finished, because a standby was given it in pieces, is not stored: what it holds is in the repository in pieces when this returns.
    /// Throws <c>WalFileNameInvalid</c>, <c>WalFileUnreadable</c>, <c>WalFileInvalid</c>, <c>WalFileChanged</c>, <c>WalContentConflict</c>, <c>ClusterIdentityMismatch</c>,
    /// <c>WalWriteNotConfirmed</c>, what <see cref="RepositoryEncryption.ProveForWritingAsync"/> throws, and what the store throws.
    /// </summary>
    /// <param name="path">The file; its name says what it is.</param>
    /// <param name="cancellationToken">Stops it; nothing half-written is left visible.</param>
    public async Task<WalPushResult> PushAsync(string path, CancellationToken cancellationToken = default)
    {
        long start = Stopwatch.GetTimestamp();
        using LocalWalFile local = LocalWalFile.Open(path);
        // Only looking, beside the proof that must go before any writing.
        Task<IReadOnlyList<ArchivedWalFile>> finding = WalArchive.FindAsync(repository, local.Name, cancellationToken);
        await Task.WhenAll(AdmitAsync(local, cancellationToken), finding).ConfigureAwait(false);
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                IReadOnlyList<ArchivedWalFile> found = await (attempt == 1 ? finding : WalArchive.FindAsync(repository, local.Name, cancellationToken)).ConfigureAwait(false);
                if (!KnowsFinished && found.Count == 0 && await _unfinished.FindAsync(local, cancellationToken).ConfigureAwait(false) is { } pieces)
                    return Result(local, pieces, 0, WalPushStatus.HeldInPieces, Stopwatch.GetElapsedTime(start));
                if (await TryPushAsync(local, found, cancellationToken).ConfigureAwait(false) is (var stored, var status))
                    return Result(local, stored.Object.Key, stored.Object.Size, status, Stopwatch.GetElapsedTime(start));
            }
            catch (PgBackupException error) when (error.Id == "ObjectExists" && attempt < Attempts)
            {
                _log.Debug($"Another pusher stored {local.Name} first; comparing.");
            }
            if (attempt == Attempts)
                throw PgErrors.ObjectExists(repository.Location, RepositoryLayout.WalKey(local.Name.Name, repository.Compression));
        }
    }

    /// <summary>Has the cluster of a file admitted, as its push does; false when the file does not tell its cluster. Throws what the push throws.</summary>
    internal async Task<bool> AdmitAsync(string path, CancellationToken cancellationToken)
    {
        using LocalWalFile local = LocalWalFile.Open(path);
        if (local.Header is null)
            return false;
        await AdmitAsync(local, cancellationToken).ConfigureAwait(false);
        return true;
    }

    private Task AdmitAsync(LocalWalFile local, CancellationToken cancellationToken) => _admission.RequireAsync(
        local.Header is { } header ? new ClusterIdentity(header.SystemIdentifier, header.MajorVersion, header.SegmentSize.Bytes, DateTimeOffset.UtcNow) : null,
        cancellationToken);

    /// <summary>One round; null when others changed the archive meanwhile.</summary>
    private async Task<(ArchivedWalFile Stored, WalPushStatus Status)?> TryPushAsync(
        LocalWalFile local, IReadOnlyList<ArchivedWalFile> there, CancellationToken cancellationToken)
    {
        ArchivedWalFile? same = null;
        var damaged = new List<ArchivedWalFile>();
        foreach (ArchivedWalFile found in there)
        {
            switch (await StoredWalJudge.JudgeAsync(repository, found, local, cancellationToken).ConfigureAwait(false))
            {
                case StoredWalState.Same:
                    same ??= found;
                    break;
                case StoredWalState.Different:
                    throw PgErrors.WalContentConflict(repository.Location, local.Name.Name, found.Object.Key);
                case StoredWalState.Damaged:
                    damaged.Add(found);
                    break;
                default:
                    return null;
            }
        }
        if (local.HasChanged)
            throw PgErrors.WalFileChanged(local.Path);
        foreach (ArchivedWalFile bad in damaged)
        {
            string copy = await WalSetAside.CopyAsync(repository, bad, cancellationToken).ConfigureAwait(false);
            _log.Warning($"The object '{bad.Object.Key}' cannot be read; it was copied to '{copy}' and is replaced.");
        }
        if (same is null)
            same = await StoreAsync(local, damaged, cancellationToken).ConfigureAwait(false);
        else if (damaged.Count == 0)
            return (same.Value, WalPushStatus.AlreadyStored);
        if (same is null)
            return null;
        // Under other extensions: a reader might find them first.
        foreach (ArchivedWalFile bad in damaged)
        {
            if (bad.Object.Key != same.Value.Object.Key && await WalSetAside.IsUnchangedAsync(repository, bad, cancellationToken).ConfigureAwait(false))
                await repository.Store.DeleteAsync([bad.Object.Key], cancellationToken).ConfigureAwait(false);
        }
        return (same.Value, damaged.Count > 0 ? WalPushStatus.Replaced : WalPushStatus.Stored);
    }

    /// <summary>Writes the object, over a damaged one of the same name; null when that one changed meanwhile.</summary>
    private async Task<ArchivedWalFile?> StoreAsync(LocalWalFile local, List<ArchivedWalFile> damaged, CancellationToken cancellationToken)
    {
        CompressionMethod method = repository.Compression;
        string key = RepositoryLayout.WalKey(local.Name.Name, method);
        var condition = PutCondition.IfAbsent;
        foreach (ArchivedWalFile bad in damaged)
        {
            if (bad.Object.Key != key)
                continue;
            // Replaced and not deleted first: a pusher beside us may have put a good one there, and that must never be missing.
            if (!await WalSetAside.IsUnchangedAsync(repository, bad, cancellationToken).ConfigureAwait(false))
                return null;
            condition = PutCondition.None;
        }
        long length = await WalObjectEncoder.PutAsync(repository, key, local, condition, cancellationToken).ConfigureAwait(false);
        var stored = new ArchivedWalFile(local.Name, method, new StoredObject(key, length, DateTimeOffset.UtcNow));
        if (local.HasChanged)
        {
            // What is there now is neither what the file was nor what it is: the next push would be refused for ever.
            await repository.Store.DeleteAsync([key], CancellationToken.None).ConfigureAwait(false);
            throw PgErrors.WalFileChanged(local.Path);
        }
        await RequireAloneAsync(stored, local, damaged, cancellationToken).ConfigureAwait(false);
        return stored;
    }

    /// <summary>The condition of the put guards one name only; a pusher with another codec may have stored other content in the same instant.</summary>
    private async Task RequireAloneAsync(
        ArchivedWalFile stored, LocalWalFile local, List<ArchivedWalFile> damaged, CancellationToken cancellationToken)
    {
        foreach (ArchivedWalFile other in await WalArchive.FindAsync(repository, local.Name, cancellationToken).ConfigureAwait(false))
        {
            if (other.Object.Key == stored.Object.Key || damaged.Contains(other))
                continue;
            if (await StoredWalJudge.JudgeAsync(repository, other, local, cancellationToken).ConfigureAwait(false) != StoredWalState.Different)
                continue;
            await repository.Store.DeleteAsync([stored.Object.Key], CancellationToken.None).ConfigureAwait(false);
            throw PgErrors.WalContentConflict(repository.Location, local.Name.Name, other.Object.Key);
        }
    }

    private WalPushResult Result(LocalWalFile local, string key, long storedSize, WalPushStatus status, TimeSpan duration) => new()
    {
        Name = local.Name.Name,
        Kind = local.Name.Kind,
        Timeline = local.Name.Timeline,
        Status = status,
        Size = local.Length,
        StoredSize = storedSize,
        Duration = duration,
        Repository = repository.Location,
        Key = key,
    };
}
