using System.Buffers;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Postgres.WalRecords;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Wal.Fetch;

/// <summary>Writes WAL files of a repository to disk, and proves that they are what their names say and whose they are. May be used from several threads.</summary>
/// <param name="repository">Where they come from.</param>
/// <param name="isDurable">Whether each is synced before it appears.</param>
internal sealed class WalFileWriter(BackupRepository repository, bool isDurable = true)
{
    private const int BufferSize = 1 << 20;

    private volatile IReadOnlyList<ClusterIdentity>? _clusters;

    /// <summary>Where they come from.</summary>
    public BackupRepository Repository => repository;

    /// <summary>
    /// Writes what an object holds to a file, whole or not at all; what is there is replaced. Returns its size. Throws <c>WalFileInvalid</c>, <c>ClusterIdentityMismatch</c>,
    /// <c>WalDestinationUnwritable</c>, and what the content throws.
    /// </summary>
    public async Task<long> WriteAsync(WalFileName file, string key, Stream content, string target, CancellationToken cancellationToken)
    {
        string temporary = target + LocalWalFile.PartSuffix;
        bool renamed = false;
        FileStream? output = null;
        try
        {
            output = Create(temporary, target);
            long size = await CopyAsync(file, key, content, output, target, cancellationToken).ConfigureAwait(false);
            try
            {
                if (isDurable)
                    output.Flush(flushToDisk: true);
                await output.DisposeAsync().ConfigureAwait(false);
                File.Move(temporary, target, overwrite: true);
                renamed = true;
                if (isDurable)
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

    private async Task<long> CopyAsync(WalFileName file, string key, Stream content, FileStream output, string target, CancellationToken cancellationToken)
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
                await RequireKnownClusterAsync(file, header, cancellationToken).ConfigureAwait(false);
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

    private async Task RequireKnownClusterAsync(WalFileName file, WalSegmentHeader header, CancellationToken cancellationToken)
    {
        if (_clusters is { } known && IsKnown(known, header))
            return;
        // Read anew for one that is not among them: clusters are welcomed, never turned out.
        _clusters = await RepositoryIdentity.ListAsync(Repository, cancellationToken).ConfigureAwait(false);
        if (!IsKnown(_clusters, header))
            throw PgErrors.WalObjectForeign(Repository.Location, file.Name, header.SystemIdentifier);
    }

    // A repository that only wal-g wrote to names none.
    private static bool IsKnown(IReadOnlyList<ClusterIdentity> known, WalSegmentHeader header)
    {
        foreach (ClusterIdentity cluster in known)
        {
            if (cluster.SystemIdentifier == header.SystemIdentifier)
                return true;
        }
        return known.Count == 0;
    }
}
