using System.Buffers;
using System.Diagnostics;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Postgres.WalRecords;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Repository.Pieces;

namespace PgBackup.Wal.Fetch;

/// <summary>Takes WAL files out of the archive: what <c>restore_command</c> does.</summary>
public static class WalFetch
{
    private const int BufferSize = 1 << 20;

    // One name for each destination: what a killed fetch left is overwritten by the next one.
    internal const string TemporarySuffix = ".pgbackup-part";

    /// <summary>
    /// Writes the file to <paramref name="destination"/> (a path, or a folder to put it into under its name), whole and durable or not at all; what is there is replaced.
    /// Where the archive holds the file more than once, an object that is damaged is passed over for one that is not. A segment that is not there whole is put together from its
    /// pieces as far as they go. Throws <c>WalFileNameInvalid</c>,
    /// <c>WalSegmentNotFound</c>, <c>ObjectDamaged</c>, <c>WalFileInvalid</c>, <c>EncryptionKeyInvalid</c>, <c>ClusterIdentityMismatch</c>,
    /// <c>WalDestinationUnwritable</c>, and what the store throws.
    /// </summary>
    /// <param name="repository">Where from.</param>
    /// <param name="name">The file's name.</param>
    /// <param name="destination">A full path.</param>
    /// <param name="log">Where to say what is done.</param>
    /// <param name="cancellationToken">Stops it; nothing half-written is left.</param>
    public static Task<WalFetchResult> FetchAsync(
        BackupRepository repository, string name, string destination, IOperationLog? log = null, CancellationToken cancellationToken = default) =>
        FetchFileAsync(repository, name, destination, withPieces: true, log, cancellationToken);

    /// <summary>As <see cref="FetchAsync"/>, but what is there in pieces only is not there: for what is kept until it is asked for.</summary>
    internal static Task<WalFetchResult> FetchWholeAsync(
        BackupRepository repository, string name, string destination, IOperationLog? log, CancellationToken cancellationToken) =>
        FetchFileAsync(repository, name, destination, withPieces: false, log, cancellationToken);

    private static async Task<WalFetchResult> FetchFileAsync(
        BackupRepository repository, string name, string destination, bool withPieces, IOperationLog? log, CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        log ??= OperationLog.None;
        if (!WalFileName.TryParse(name, out WalFileName? file))
            throw PgErrors.WalFileNameInvalid(name);
        string target = Directory.Exists(destination) ? Path.Combine(destination, file.Name) : destination;
        PgBackupException? failure = null, vanished = null;
        IReadOnlyList<ArchivedWalFile> found = await FindAsync(repository, file, cancellationToken).ConfigureAwait(false);
        if (withPieces && found.Count == 0 && file.Kind == WalFileKind.Segment)
        {
            if (await TryFetchPiecesAsync(repository, file, target, start, log, cancellationToken).ConfigureAwait(false) is { } result)
                return result;
            // A receiver may have stored the whole segment and deleted the pieces in between.
            found = await WalArchive.FindAsync(repository, file, cancellationToken).ConfigureAwait(false);
        }
        foreach (ArchivedWalFile stored in found)
        {
            try
            {
                Stream content = await repository.OpenDecodedAsync(stored.Object.Key, cancellationToken).ConfigureAwait(false);
                await using (content.ConfigureAwait(false))
                {
                    long size = await WriteAsync(repository, file, stored.Object.Key, content, target, cancellationToken).ConfigureAwait(false);
                    return Result(repository, file, target, size, start, stored.Object.Key, end: null);
                }
            }
            catch (PgBackupException error) when (error.Id is "ObjectDamaged" or "EncryptionKeyInvalid" or "WalFileInvalid" or "ClusterIdentityMismatch")
            {
                log.Warning($"The object '{stored.Object.Key}' cannot be used: {error.Message}");
                failure ??= error;
            }
            catch (PgBackupException error) when (error.Id == "ObjectNotFound")
            {
                log.Debug($"The object '{stored.Object.Key}' vanished before it was read.");
                // Not "not there", which ends a recovery: this is tried again, and what was really deleted is then not found at all.
                vanished = PgErrors.ObjectChanged(repository.Location, stored.Object.Key, error);
            }
        }
        // What could be opened has proven its key. For what could not, or is not there, the key is asked first: "not there" ends a recovery, a wrong key must not.
        if (failure is null)
            await RepositoryEncryption.ProveRecordedAsync(repository, cancellationToken).ConfigureAwait(false);
        else
            await RepositoryEncryption.ProveAsync(repository, cancellationToken).ConfigureAwait(false);
        throw failure ?? vanished ?? PgErrors.WalSegmentNotFound(repository.Location, file.Name);
    }

    private static async Task<IReadOnlyList<ArchivedWalFile>> FindAsync(BackupRepository repository, WalFileName file, CancellationToken cancellationToken)
    {
        IReadOnlyList<ArchivedWalFile> found = await WalArchive.FindAsync(repository, file, cancellationToken).ConfigureAwait(false);
        if (found.Count == 0)
        {
            // "Not there" ends a recovery; a repository that is not there (a disk not mounted) must not. Listing tells the one from the other.
            await foreach (string _ in repository.Store.ListFoldersAsync("", cancellationToken).ConfigureAwait(false))
                return found;
            throw PgErrors.RepositoryNotFound(repository.Location);
        }
        return found;
    }

    private static async Task<WalFetchResult?> TryFetchPiecesAsync(
        BackupRepository repository, WalFileName file, string target, long start, IOperationLog log, CancellationToken cancellationToken)
    {
        WalSegmentName segment = file.Segment!.Value;
        foreach (ulong cluster in await WalPieces.ListClustersAsync(repository, cancellationToken).ConfigureAwait(false))
        {
            if (await WalPieceReader.TryOpenAsync(repository, cluster, segment, log, cancellationToken).ConfigureAwait(false) is not { } assembled)
                continue;
            await using (assembled.Content.ConfigureAwait(false))
            {
                string key = WalPiece.FolderOf(cluster, segment);
                long size = await WriteAsync(repository, file, key, assembled.Content, target, cancellationToken).ConfigureAwait(false);
                log.Verbose($"The segment {file.Name} is not whole in the archive yet; its pieces reach to {assembled.End}.");
                return Result(repository, file, target, size, start, key, assembled.End);
            }
        }
        return null;
    }

    private static WalFetchResult Result(BackupRepository repository, WalFileName file, string target, long size, long start, string key, Lsn? end) => new()
    {
        Name = file.Name,
        Kind = file.Kind,
        Timeline = file.Timeline,
        Destination = target,
        Size = size,
        EndLsn = end,
        Duration = Stopwatch.GetElapsedTime(start),
        Repository = repository.Location,
        Key = key,
    };

    private static async Task<long> WriteAsync(
        BackupRepository repository, WalFileName file, string key, Stream content, string target, CancellationToken cancellationToken)
    {
        string temporary = target + TemporarySuffix;
        bool renamed = false;
        FileStream? output = null;
        try
        {
            output = Create(temporary, target);
            long size = await CopyAsync(repository, file, key, content, output, target, cancellationToken).ConfigureAwait(false);
            try
            {
                output.Flush(flushToDisk: true);
                await output.DisposeAsync().ConfigureAwait(false);
                File.Move(temporary, target, overwrite: true);
                renamed = true;
                Posix.SyncDirectory(Path.GetDirectoryName(Path.GetFullPath(target))!);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw PgErrors.WalDestinationUnwritable(target, error);
            }
            return size;
        }
        finally
        {
            if (output is not null)
            {
                await output.DisposeAsync().ConfigureAwait(false);
                if (!renamed)
                    File.Delete(temporary);
            }
        }
    }

    private static FileStream Create(string temporary, string target)
    {
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Share = FileShare.None, BufferSize = 0 };
            if (!OperatingSystem.IsWindows())
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            return new FileStream(temporary, options);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw PgErrors.WalDestinationUnwritable(target, error);
        }
    }

    private static async Task<long> CopyAsync(
        BackupRepository repository, WalFileName file, string key, Stream content, FileStream output, string target, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        byte[] head = new byte[WalContent.HeadSize];
        try
        {
            long length = 0;
            int read;
            while ((read = await content.ReadAsync(buffer.AsMemory(0, BufferSize), cancellationToken).ConfigureAwait(false)) > 0)
            {
                if (length < head.Length)
                    buffer.AsSpan(0, (int)Math.Min(read, head.Length - length)).CopyTo(head.AsSpan((int)length));
                length += read;
                if (length > 1 << 30)
                    throw PgErrors.WalFileInvalid(key, "it unpacks to more than the largest segment has.");
                await WriteBufferAsync(output, buffer.AsMemory(0, read), target, cancellationToken).ConfigureAwait(false);
            }
            if (WalContent.FindFault(file, head.AsSpan(0, (int)Math.Min(length, head.Length)), length, out WalSegmentHeader? header) is { } fault)
                throw PgErrors.WalFileInvalid(key, fault);
            if (header is not null)
                await RequireKnownClusterAsync(repository, file, header, cancellationToken).ConfigureAwait(false);
            return length;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task WriteBufferAsync(FileStream output, ReadOnlyMemory<byte> buffer, string target, CancellationToken cancellationToken)
    {
        try
        {
            await output.WriteAsync(buffer, cancellationToken).ConfigureAwait(false);
        }
        catch (IOException error)
        {
            throw PgErrors.WalDestinationUnwritable(target, error);
        }
    }

    private static async Task RequireKnownClusterAsync(
        BackupRepository repository, WalFileName file, WalSegmentHeader header, CancellationToken cancellationToken)
    {
        IReadOnlyList<ClusterIdentity> known = await RepositoryIdentity.ListAsync(repository, cancellationToken).ConfigureAwait(false);
        if (known.Count > 0 && !known.Any(cluster => cluster.SystemIdentifier == header.SystemIdentifier))
            throw PgErrors.WalObjectForeign(repository.Location, file.Name, header.SystemIdentifier);
    }
}
