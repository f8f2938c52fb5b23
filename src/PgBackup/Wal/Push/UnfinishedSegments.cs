using System.Diagnostics;
using Microsoft.Win32.SafeHandles;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.WalRecords;
using PgBackup.Repository;
using PgBackup.Repository.Pieces;

namespace PgBackup.Wal.Push;

/// <summary>
/// Keeps segments that are not finished from being stored as whole ones. A standby whose restore_command was given a segment in pieces, filled up with zeros, archives just that with
/// <c>archive_mode = always</c> (xlogarchive.c, "KeepFileRestoredFromArchive"), and whoever pushes the finished one afterwards finds it in the way.
/// </summary>
internal sealed class UnfinishedSegments(BackupRepository repository, IOperationLog log)
{
    private const int BufferSize = 256 << 10;

    // A push that runs ahead asks for many; what a standby pushes had pieces before.
    private static readonly TimeSpan s_listingHolds = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim _turn = new(1, 1);
    private ulong _cluster;
    private HashSet<string> _inPieces = [];
    private long _listed;

    /// <summary>
    /// For a segment that is not finished: the folder of its pieces, which hold all of it by then. Null for one that is, and for everything that has no pieces. Throws
    /// <c>WalContentConflict</c> when the pieces hold other content, <c>WalFileChanged</c>.
    /// </summary>
    public async Task<string?> FindAsync(LocalWalFile local, CancellationToken cancellationToken)
    {
        if (local.Header is not { } header || local.Name is not { Kind: WalFileKind.Segment, Segment: { } segment }
            || !await IsInPiecesAsync(header.SystemIdentifier, segment, cancellationToken).ConfigureAwait(false))
            return null;
        FileStream assembled = NamelessFile.Open();
        await using (assembled.ConfigureAwait(false))
        {
            if (await WalPieceReader.AssembleAsync(repository, header.SystemIdentifier, segment, assembled.SafeFileHandle, log, cancellationToken).ConfigureAwait(false) is not { } held)
                return null;
            Lsn start = segment.StartFor(header.SegmentSize);
            int? end = await FindEndAsync(local, header, segment, start, cancellationToken).ConfigureAwait(false);
            if (FindDifference(local, assembled.SafeFileHandle, Math.Min(held.End, end ?? int.MaxValue)) is { } differs)
                throw PgErrors.WalPiecesDiffer(repository.Location, local.Name.Name, start + (ulong)differs);
            if (end is not { } written)
                return null;
            if (local.HasChanged)
                throw PgErrors.WalFileChanged(local.Path);
            // What a server streamed over it before it was pushed may be more than the receiver had.
            if (written > held.End)
                await AddAsync(local, header, segment, held.End, written, cancellationToken).ConfigureAwait(false);
            log.Warning($"{local.Name} ends at {start + (ulong)written}, before the segment does: it came from pieces. What it holds is in the repository in pieces; no whole segment was stored.");
            return WalPiece.FolderOf(header.SystemIdentifier, segment);
        }
    }

    private async Task<bool> IsInPiecesAsync(ulong cluster, WalSegmentName segment, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_listed == 0 || _cluster != cluster || Stopwatch.GetElapsedTime(_listed) > s_listingHolds)
            {
                long asked = Stopwatch.GetTimestamp();
                var found = new HashSet<string>(StringComparer.Ordinal);
                await foreach (string folder in repository.Store.ListFoldersAsync(WalPiece.FolderOf(cluster), cancellationToken).ConfigureAwait(false))
                    found.Add(folder);
                (_cluster, _inPieces, _listed) = (cluster, found, asked);
            }
            return _inPieces.Contains(WalPiece.FolderNameOf(segment));
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Where the log ends in the file, in bytes from its start; null when it fills the segment, as also with a switch, or when it cannot be told.</summary>
    private static async Task<int?> FindEndAsync(LocalWalFile local, WalSegmentHeader header, WalSegmentName segment, Lsn start, CancellationToken cancellationToken)
    {
        WalSegmentSize size = header.SegmentSize;
        var options = new WalReadOptions
        {
            SegmentSize = size,
            History = HistoryOf(local.Path, segment.Timeline),
            Start = start,
            StopAt = start + (ulong)size.Bytes,
            SystemIdentifier = header.SystemIdentifier,
            Kinds = WalRecordKinds.None,
        };
        var reader = new WalRecordReader(new OneFile(local.Path, segment), options);
        await using (reader.ConfigureAwait(false))
        {
            await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            return reader.End!.Kind is WalEndKind.EndOfWal or WalEndKind.Torn ? LastWritten(local) : null;
        }
    }

    // Also what is torn was written: the receiver of the pieces had it too.
    private static int LastWritten(LocalWalFile local)
    {
        byte[] buffer = new byte[BufferSize];
        for (long end = local.Length; end > 0;)
        {
            int count = (int)Math.Min(BufferSize, end);
            int read = local.Read(buffer.AsSpan(0, count), end - count);
            int last = buffer.AsSpan(0, read).LastIndexOfAnyExcept((byte)0);
            if (last >= 0)
                return (int)(end - count) + last + 1;
            end -= count;
        }
        return 0;
    }

    private static TimelineHistory HistoryOf(string path, TimelineId timeline)
    {
        string file = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, timeline.HistoryFileName);
        try
        {
            return File.Exists(file) ? TimelineHistory.Parse(timeline, File.ReadAllText(file)) : TimelineHistory.WithoutAncestors(timeline);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.WalFileUnreadable(file, error);
        }
    }

    private static int? FindDifference(LocalWalFile local, SafeFileHandle assembled, int length)
    {
        byte[] own = new byte[BufferSize], other = new byte[BufferSize];
        for (int offset = 0; offset < length;)
        {
            int count = Math.Min(BufferSize, length - offset);
            int read = RandomAccess.Read(assembled, other.AsSpan(0, count), offset);
            int same = local.Read(own.AsSpan(0, read), offset) == read ? own.AsSpan(0, read).CommonPrefixLength(other.AsSpan(0, read)) : 0;
            if (same < read || read == 0)
                return offset + same;
            offset += read;
        }
        return null;
    }

    private async Task AddAsync(LocalWalFile local, WalSegmentHeader header, WalSegmentName segment, int from, int to, CancellationToken cancellationToken)
    {
        using SafeFileHandle content = File.OpenHandle(local.Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        await WalPieces.PutAsync(repository, header.SystemIdentifier, segment, header.SegmentSize, content, from, to, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The file alone: its neighbours have nothing to tell here.</summary>
    private sealed class OneFile(string path, WalSegmentName name) : IWalSegmentSource
    {
        public Task<Stream?> OpenAsync(WalSegmentName segment, CancellationToken cancellationToken) => Task.FromResult<Stream?>(
            segment == name ? new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0, FileOptions.SequentialScan) : null);
    }
}
