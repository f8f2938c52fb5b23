using System.Diagnostics;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Repository;

namespace PgBackup.Backup.Publishing;

/// <summary>Waits until the WAL that a backup needs to become consistent is in the repository.</summary>
internal static class WalProof
{
    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_firstComplaint = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_nextComplaint = TimeSpan.FromMinutes(1);

    /// <summary>
    /// Proves every segment from that of <paramref name="start"/> to that of <paramref name="finish"/> − 1; returns how many there are.
    /// Throws <c>WalNotArchived</c>.
    /// </summary>
    public static async Task<int> RequireAsync(
        BackupRepository repository,
        BackupName name,
        Lsn start,
        Lsn finish,
        WalSegmentSize size,
        TimeSpan timeout,
        Func<CancellationToken, Task<string?>> complaint,
        IOperationLog log,
        IProgress<OperationProgress> progress,
        CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        TimeSpan complain = s_firstComplaint;
        ulong first = size.SegmentNumberOf(start), last = size.SegmentNumberOf(finish - 1);
        long total = (long)(last - first) + 1;
        for (ulong number = first; number <= last; number++)
        {
            WalSegmentName segment = WalSegmentName.Of(name.Segment.Timeline, number, size);
            if (!WalFileName.TryParse(segment.ToString(), out WalFileName? file))
                throw new InvalidOperationException($"'{segment}' is no file name.");
            TimeSpan pause = s_firstPause;
            while (!await IsPresentAsync(repository, file, size, cancellationToken).ConfigureAwait(false))
            {
                if (clock.Elapsed >= timeout)
                {
                    string? reason = await complaint(cancellationToken).ConfigureAwait(false);
                    throw PgErrors.WalNotArchived(name.Text, segment.ToString(), clock.Elapsed, repository.Location, reason);
                }
                if (clock.Elapsed >= complain && await complaint(cancellationToken).ConfigureAwait(false) is { } trouble)
                {
                    log.Warning($"Still waiting for the WAL segment {segment}. {trouble}");
                    complain += s_nextComplaint;
                }
                progress.Report(new OperationProgress($"Backing up {name}", $"Waiting for WAL segment {segment} to arrive", (long)(number - first), total, ProgressUnit.Items));
                await Task.Delay(pause, cancellationToken).ConfigureAwait(false);
                pause = pause + pause < s_longestPause ? pause + pause : s_longestPause;
            }
        }
        return (int)total;
    }

    /// <summary>An archive_command that is a plain copy shows the file while it is still growing.</summary>
    private static async Task<bool> IsPresentAsync(BackupRepository repository, WalFileName file, WalSegmentSize size, CancellationToken cancellationToken)
    {
        foreach (ArchivedWalFile found in await WalArchive.FindAsync(repository, file, cancellationToken).ConfigureAwait(false))
        {
            if (found.Method != CompressionMethod.None || found.Object.Size >= size.Bytes)
                return true;
        }
        return false;
    }
}
