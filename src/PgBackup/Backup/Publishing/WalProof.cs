using System.Diagnostics;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Repository;

namespace PgBackup.Backup.Publishing;

/// <summary>Waits until the WAL that a backup needs to become consistent is in the repository.</summary>
internal static class WalProof
{
    private const int Looks = 4;

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
        bool[] present = await LookAsync(repository, name, first, total, size, cancellationToken).ConfigureAwait(false);
        for (ulong number = first; number <= last; number++)
        {
            if (present[number - first])
                continue;
            WalFileName file = FileOf(name, number, size);
            TimeSpan pause = s_firstPause;
            while (!await IsPresentAsync(repository, file, size, cancellationToken).ConfigureAwait(false))
            {
                if (clock.Elapsed >= timeout)
                {
                    string? reason = await complaint(cancellationToken).ConfigureAwait(false);
                    throw PgErrors.WalNotArchived(name.Text, file.Name, clock.Elapsed, repository.Location, reason);
                }
                if (clock.Elapsed >= complain && await complaint(cancellationToken).ConfigureAwait(false) is { } trouble)
                {
                    log.Warning($"Still waiting for the WAL segment {file.Name}. {trouble}");
                    complain += s_nextComplaint;
                }
                progress.Report(new OperationProgress($"Backing up {name}", $"Waiting for WAL segment {file.Name} to arrive", (long)(number - first), total, ProgressUnit.Items));
                await Task.Delay(pause, cancellationToken).ConfigureAwait(false);
                // By a quarter: what has arrived is then seen after at most a quarter more than it took.
                pause = pause * 1.25 < s_longestPause ? pause * 1.25 : s_longestPause;
            }
        }
        return (int)total;
    }

    /// <summary>Which segments are there already. Those of a long backup are thousands, and a store at a distance answers many questions in the time of one.</summary>
    private static async Task<bool[]> LookAsync(
        BackupRepository repository, BackupName name, ulong first, long total, WalSegmentSize size, CancellationToken cancellationToken)
    {
        bool[] present = new bool[total];
        var options = new ParallelOptions { MaxDegreeOfParallelism = Looks, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0L, total, options, async (i, token) =>
            present[i] = await IsPresentAsync(repository, FileOf(name, first + (ulong)i, size), size, token).ConfigureAwait(false)).ConfigureAwait(false);
        return present;
    }

    private static WalFileName FileOf(BackupName name, ulong number, WalSegmentSize size)
    {
        string text = WalSegmentName.Of(name.Segment.Timeline, number, size).ToString();
        return WalFileName.TryParse(text, out WalFileName? file) ? file : throw new InvalidOperationException($"'{text}' is no file name.");
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
