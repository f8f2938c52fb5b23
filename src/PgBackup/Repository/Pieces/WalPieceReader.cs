using System.Buffers;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Postgres.WalRecords;

namespace PgBackup.Repository.Pieces;

/// <summary>A segment that was put together from pieces.</summary>
/// <param name="Content">Its bytes, zeros behind the end.</param>
/// <param name="End">Where the log ends in it.</param>
internal sealed record AssembledWal(FileStream Content, Lsn End);

/// <summary>What the pieces of a segment hold of it.</summary>
/// <param name="End">How many bytes from its start on could be read.</param>
/// <param name="Promised">How many they hold by their names: where the one that reaches furthest ends.</param>
/// <param name="Size">The segment size; null when nothing could be read.</param>
/// <param name="Fault">Why the end lies before what is promised; null when it does not.</param>
internal readonly record struct WalPiecePrefix(int End, int Promised, WalSegmentSize? Size, PgBackupException? Fault);

/// <summary>Puts the pieces of a segment together, each verified as it is read.</summary>
internal static class WalPieceReader
{
    private const int BufferSize = 256 << 10;

    // A receiver that merges pieces deletes those that the merged one holds; each round means that it got on.
    private const int Listings = 8;

    // A listing that is not of one instant may miss the merged piece and those that it replaced.
    private const int GapListings = 3;

    /// <summary>
    /// Writes the segment's beginning, as far as its pieces can be read without a gap, into a file, from its first byte on; what lies behind in the file is cut off. Null when
    /// there are no pieces. A damaged piece is passed over for others that hold the same bytes. <c>WalSpoolFailed</c> when the file cannot be written.
    /// </summary>
    public static async Task<WalPiecePrefix?> AssembleAsync(
        BackupRepository repository, ulong systemIdentifier, WalSegmentName segment, SafeFileHandle target, IOperationLog log, CancellationToken cancellationToken)
    {
        int end = 0, promised = 0;
        WalSegmentSize? size = null;
        PgBackupException? damage = null, vanished = null;
        var useless = new HashSet<string>(StringComparer.Ordinal);
        List<WalPiece>? pieces = null;
        for (int listings = 0; ;)
        {
            if (pieces is null)
            {
                listings++;
                pieces = await WalPieces.ListAsync(repository, systemIdentifier, segment, cancellationToken).ConfigureAwait(false);
                promised = pieces.Select(p => p.End).Append(promised).Max();
            }
            if (WalPieceCover.Next(pieces.Where(p => !useless.Contains(p.Object.Key)), end) is not { } piece)
            {
                if (end >= promised || damage is not null || listings >= GapListings)
                    break;
                pieces = null;
                continue;
            }
            try
            {
                WalSegmentSize told = await CopyAsync(repository, piece, target, end, size, cancellationToken).ConfigureAwait(false);
                size = told;
                end = piece.End;
            }
            catch (PgBackupException error) when (error.Id == "ObjectNotFound")
            {
                if (listings >= Listings)
                    throw PgErrors.ObjectChanged(repository.Location, piece.Object.Key, error);
                vanished = error;
                pieces = null;
            }
            catch (IOException error)
            {
                throw PgErrors.WalSpoolFailed(Path.GetTempPath(), error);
            }
            catch (PgBackupException error) when (error.Id is "ObjectDamaged" or "EncryptionKeyInvalid")
            {
                log.Warning($"The object '{piece.Object.Key}' cannot be used: {error.Message}");
                damage ??= error;
                useless.Add(piece.Object.Key);
            }
        }
        RandomAccess.SetLength(target, end);
        if (promised == 0)
            return null;
        string folder = WalPiece.FolderOf(systemIdentifier, segment);
        PgBackupException? fault = end >= promised ? null
            : damage ?? (vanished is not null ? PgErrors.ObjectChanged(repository.Location, folder, vanished) : PgErrors.WalPiecesMissing(repository.Location, segment.ToString(), end, promised));
        return new WalPiecePrefix(end, promised, size, fault);
    }

    /// <summary>
    /// The segment as its pieces have it, filled up with zeros to its size as a server's own unfinished segment is; null when they hold no WAL of it. The stream is a file
    /// without a name, gone with it. When not all that the pieces' names promise can be read, why is thrown: <c>ObjectDamaged</c>, <c>EncryptionKeyInvalid</c>,
    /// <c>ObjectChanged</c> (a receiver has got on, and may have stored the whole segment), <c>WalGapDetected</c>. <c>WalSpoolFailed</c> when there is no room.
    /// </summary>
    public static async Task<AssembledWal?> TryOpenAsync(
        BackupRepository repository, ulong systemIdentifier, WalSegmentName segment, IOperationLog log, CancellationToken cancellationToken)
    {
        FileStream file = NamelessFile.Open();
        bool opened = false;
        try
        {
            if (await AssembleAsync(repository, systemIdentifier, segment, file.SafeFileHandle, log, cancellationToken).ConfigureAwait(false) is not { } held
                || held.Promised < WalPageHeader.LongSize)
                return null;
            if (held.Fault is { } fault)
                throw fault;
            WalSegmentSize size = held.Size!.Value;
            RandomAccess.SetLength(file.SafeFileHandle, size.Bytes);
            opened = true;
            return new AssembledWal(file, size.StartOf(segment.NumberFor(size)) + (ulong)held.End);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.WalSpoolFailed(Path.GetTempPath(), error);
        }
        finally
        {
            if (!opened)
                await file.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>The segment size that the head of a piece tells; null when there are none, or none can be read.</summary>
    public static async Task<WalSegmentSize?> FindSizeAsync(BackupRepository repository, ulong systemIdentifier, WalSegmentName segment, CancellationToken cancellationToken)
    {
        byte[] head = new byte[WalPieceFormat.HeadSize];
        foreach (WalPiece piece in await WalPieces.ListAsync(repository, systemIdentifier, segment, cancellationToken).ConfigureAwait(false))
        {
            try
            {
                Stream content = await repository.OpenDecodedAsync(piece.Object.Key, cancellationToken).ConfigureAwait(false);
                await using (content.ConfigureAwait(false))
                {
                    await RequireAsync(content, head, piece, cancellationToken).ConfigureAwait(false);
                    if (WalPieceFormat.Read(head, piece) is { } size)
                        return size;
                }
            }
            catch (PgBackupException error) when (error.Id is "ObjectDamaged" or "EncryptionKeyInvalid" or "ObjectNotFound")
            {
                // Another one may tell.
            }
        }
        return null;
    }

    /// <summary>Whether an error says that pieces do not give all that they promise: then the whole segment may be there by now.</summary>
    public static bool IsShort(PgBackupException error) => error.Id is "ObjectDamaged" or "EncryptionKeyInvalid" or "ObjectChanged" or "WalGapDetected";

    private static async Task<WalSegmentSize> CopyAsync(
        BackupRepository repository, WalPiece piece, SafeFileHandle target, int from, WalSegmentSize? known, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        Stream content = await repository.OpenDecodedAsync(piece.Object.Key, cancellationToken).ConfigureAwait(false);
        try
        {
            await using (content.ConfigureAwait(false))
            {
                await RequireAsync(content, buffer.AsMemory(0, WalPieceFormat.HeadSize), piece, cancellationToken).ConfigureAwait(false);
                if (WalPieceFormat.Read(buffer.AsSpan(0, WalPieceFormat.HeadSize), piece) is not { } size || (known is not null && known != size))
                    throw Damaged(piece, "its head is not that of its name");
                hash.AppendData(buffer, 0, WalPieceFormat.HeadSize);
                for (int offset = piece.Start; offset < piece.End;)
                {
                    int count = Math.Min(BufferSize, piece.End - offset);
                    await RequireAsync(content, buffer.AsMemory(0, count), piece, cancellationToken).ConfigureAwait(false);
                    hash.AppendData(buffer, 0, count);
                    int skip = Math.Clamp(from - offset, 0, count);
                    if (skip < count)
                        RandomAccess.Write(target, buffer.AsSpan(skip, count - skip), offset + skip);
                    offset += count;
                }
                await RequireAsync(content, buffer.AsMemory(0, WalPieceFormat.ChecksumSize), piece, cancellationToken).ConfigureAwait(false);
                if (!hash.GetHashAndReset().AsSpan().SequenceEqual(buffer.AsSpan(0, WalPieceFormat.ChecksumSize))
                    || await content.ReadAsync(buffer.AsMemory(0, 1), cancellationToken).ConfigureAwait(false) != 0)
                    throw Damaged(piece, "its checksum does not fit");
                return size;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task RequireAsync(Stream content, Memory<byte> buffer, WalPiece piece, CancellationToken cancellationToken)
    {
        if (await content.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false) < buffer.Length)
            throw Damaged(piece, "it ends too early");
    }

    private static PgBackupException Damaged(WalPiece piece, string reason) => PgErrors.ObjectDamaged(piece.Object.Key, reason);
}
