using System.Diagnostics;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Postgres.WalRecords;
using PgBackup.Repository;
using PgBackup.Wal.Spool;

namespace PgBackup.Wal.Fetch;

/// <summary>
/// A restore_command that takes segments from the spool, where a <see cref="WalPrefetcher"/> has put them, and everything else from the archive.
/// </summary>
public sealed class SpooledFetch
{
    private static readonly TimeSpan s_glance = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    private readonly RepositorySettings _settings;
    private readonly string _destination;
    private readonly IOperationLog _log;
    private readonly Action _startPrefetcher;

    private SpooledFetch(RepositorySettings settings, string destination, Action startPrefetcher, IOperationLog log)
    {
        _settings = settings;
        _destination = destination;
        _startPrefetcher = startPrefetcher;
        _log = log;
    }

    /// <summary>
    /// Writes the file whole or not at all; what is there is replaced. Throws what <see cref="RestoreCommand.FetchAsync(BackupRepository, string, string, IOperationLog, CancellationToken)"/>
    /// throws.
    /// </summary>
    /// <param name="settings">Where from.</param>
    /// <param name="name">The file's name.</param>
    /// <param name="destination">Where to.</param>
    /// <param name="startPrefetcher">Has a process started that runs a <see cref="WalPrefetcher"/> for the folder of <paramref name="destination"/>; called when there is none.</param>
    /// <param name="log">Where to say what is done.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task FetchAsync(
        RepositorySettings settings, string name, string destination, Action startPrefetcher, IOperationLog? log = null, CancellationToken cancellationToken = default)
    {
        var fetch = new SpooledFetch(settings, Path.GetFullPath(destination), startPrefetcher, log ?? OperationLog.None);
        if (settings.Wal.Prefetch > 0 && WalFileName.TryParse(name, out WalFileName? file) && file.Kind == WalFileKind.Segment && !Directory.Exists(destination))
            await fetch.FetchSegmentAsync(file, cancellationToken).ConfigureAwait(false);
        else
            await fetch.FetchDirectlyAsync(name, cancellationToken).ConfigureAwait(false);
    }

    private Task<WalFetchResult> FetchDirectlyAsync(string name, CancellationToken cancellationToken) =>
        RestoreCommand.FetchAsync(BackupRepository.Open(_settings), name, _destination, _log, cancellationToken);

    private async Task FetchSegmentAsync(WalFileName file, CancellationToken cancellationToken)
    {
        FetchSpool? spool = TryOpenSpool();
        WalSegmentSize? size = spool is null ? null : await TakeAsync(spool, file, cancellationToken).ConfigureAwait(false);
        if (size is null)
        {
            WalFetchResult fetched = await FetchDirectlyAsync(file.Name, cancellationToken).ConfigureAwait(false);
            size = WalSegmentSize.IsValid(fetched.Size.Bytes) ? new WalSegmentSize((int)fetched.Size.Bytes) : null;
        }
        if (spool is not null && size is { } known)
            LookAhead(spool, new AskedSegment(file.Segment!.Value, known));
    }

    private FetchSpool? TryOpenSpool()
    {
        try
        {
            return WalSpool.TryOpen(_settings, Path.GetDirectoryName(_destination)!, _log) is { } spool ? new FetchSpool(spool) : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            _log.Verbose($"Nothing is fetched ahead: {error.Message}");
            return null;
        }
    }

    /// <summary>Takes the segment from the spool, waiting while it is on its way there; null when it does not come from there.</summary>
    private async Task<WalSegmentSize?> TakeAsync(FetchSpool spool, WalFileName file, CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            while (true)
            {
                bool isComing = spool.IsComing(file.Segment!.Value);
                if (spool.TryTake(file, _destination) is { } header)
                {
                    _log.Verbose($"{file.Name} was taken from what had been fetched ahead.");
                    return header.SegmentSize;
                }
                if (!isComing || Stopwatch.GetElapsedTime(start) > s_patience)
                    return null;
                await Task.Delay(s_glance, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The archive has it too; a destination that cannot be written to is told from there.
            _log.Verbose($"{file.Name} cannot be taken from the spool: {error.Message}");
            return null;
        }
    }

    // Only help for the next call: the file that was asked for is there.
    private void LookAhead(FetchSpool spool, AskedSegment asked)
    {
        try
        {
            spool.Ask(asked);
            if (!spool.IsAttended())
                _startPrefetcher();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            _log.Verbose($"Nothing is fetched ahead: {error.Message}");
        }
    }
}
