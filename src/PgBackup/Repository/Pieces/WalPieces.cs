using System.Buffers;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using PgBackup.Errors;
using PgBackup.Storage;

namespace PgBackup.Repository.Pieces;

/// <summary>The pieces of unfinished segments: putting, listing and deleting them.</summary>
internal static class WalPieces
{
    private const int BufferSize = 256 << 10;

    /// <summary>
    /// Puts a piece out of a file that holds the segment's beginning; returns when it is durable. Compressed and encrypted as everything in the repository.
    /// </summary>
    public static async Task<WalPiece> PutAsync(
        BackupRepository repository, ulong systemIdentifier, WalSegmentName segment, WalSegmentSize size, SafeFileHandle content, int start, int end, CancellationToken cancellationToken)
    {
        string key = WalPiece.KeyOf(systemIdentifier, segment, start, end, repository.Compression);
        byte[] head = WalPieceFormat.Head(systemIdentifier, segment, size, start, end);
        await ObjectEncoding.PutEncodedAsync(
            repository, key, repository.Compression, (target, token) => WriteAsync(target, head, content, start, end, token), cancellationToken).ConfigureAwait(false);
        return new WalPiece(systemIdentifier, segment, start, end, new StoredObject(key, end - start, DateTimeOffset.UtcNow));
    }

    /// <summary>Every piece in the repository, or of one cluster.</summary>
    public static IAsyncEnumerable<WalPiece> ListAsync(BackupRepository repository, ulong? systemIdentifier = null, CancellationToken cancellationToken = default) =>
        ListAsync(repository, systemIdentifier is { } cluster ? WalPiece.FolderOf(cluster) : WalPiece.Folder, recursive: true, cancellationToken);

    /// <summary>The pieces of a segment.</summary>
    public static async Task<List<WalPiece>> ListAsync(BackupRepository repository, ulong systemIdentifier, WalSegmentName segment, CancellationToken cancellationToken)
    {
        var found = new List<WalPiece>();
        await foreach (WalPiece piece in ListAsync(repository, WalPiece.FolderOf(systemIdentifier, segment), recursive: false, cancellationToken).ConfigureAwait(false))
            found.Add(piece);
        return found;
    }

    /// <summary>The clusters that have pieces.</summary>
    public static async Task<List<ulong>> ListClustersAsync(BackupRepository repository, CancellationToken cancellationToken)
    {
        var found = new List<ulong>();
        await foreach (string name in repository.Store.ListFoldersAsync(WalPiece.Folder, cancellationToken).ConfigureAwait(false))
        {
            if (ulong.TryParse(name, out ulong cluster))
                found.Add(cluster);
        }
        return found;
    }

    /// <summary>Deletes pieces: of a segment that is whole in the archive, or that a bigger piece covers.</summary>
    public static async Task DeleteAsync(BackupRepository repository, IReadOnlyCollection<WalPiece> pieces, CancellationToken cancellationToken)
    {
        if (pieces.Count > 0)
            await repository.Store.DeleteAsync([.. pieces.Select(p => p.Object.Key)], cancellationToken).ConfigureAwait(false);
    }

    private static async IAsyncEnumerable<WalPiece> ListAsync(
        BackupRepository repository, string folder, bool recursive, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (StoredObject item in repository.Store.ListAsync(folder, recursive, cancellationToken).ConfigureAwait(false))
        {
            if (WalPiece.TryParse(item, out WalPiece? piece))
                yield return piece.Value;
        }
    }

    private static async Task WriteAsync(Stream target, byte[] head, SafeFileHandle content, int start, int end, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(head);
        await target.WriteAsync(head, cancellationToken).ConfigureAwait(false);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            for (int offset = start; offset < end;)
            {
                int read = Read(content, buffer.AsSpan(0, Math.Min(BufferSize, end - offset)), offset);
                hash.AppendData(buffer, 0, read);
                await target.WriteAsync(buffer.AsMemory(0, read), cancellationToken).ConfigureAwait(false);
                offset += read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
        await target.WriteAsync(hash.GetHashAndReset(), cancellationToken).ConfigureAwait(false);
    }

    private static int Read(SafeFileHandle content, Span<byte> buffer, int offset)
    {
        try
        {
            int read = RandomAccess.Read(content, buffer, offset);
            return read > 0 ? read : throw new EndOfStreamException("it is shorter than what was written into it.");
        }
        catch (IOException error)
        {
            throw PgErrors.WalSpoolFailed(Path.GetTempPath(), error);
        }
    }
}
