using PgBackup.Errors;
using PgBackup.Postgres.WalRecords;
using PgBackup.Repository;

namespace PgBackup.Restore.Planning;

/// <summary>The end of a stretch of log.</summary>
/// <param name="LastRecordStart">The last whole record's first byte.</param>
/// <param name="End">The LSN after it.</param>
internal readonly record struct LogEnd(Lsn LastRecordStart, Lsn End);

/// <summary>Asks the archived log the questions that planning has. Damage to a segment is <c>WalDamaged</c>.</summary>
internal sealed class WalScanner(BackupRepository repository, WalInventory inventory, WalPath path, ulong? systemIdentifier, IProgress<OperationProgress> progress)
{
    private const WalRecordKinds Timed = WalRecordKinds.TransactionEnds | WalRecordKinds.RestorePoint;

    private readonly Dictionary<ulong, DateTimeOffset?> _firstTimes = [];

    /// <summary>The last whole record of a run.</summary>
    public async Task<LogEnd> TailAsync(WalRun run, CancellationToken cancellationToken)
    {
        for (ulong first = run.Last; ; first--)
        {
            LogEnd? tail = null;
            Lsn end = path.Size.StartOf(run.Last + 1);
            await foreach (WalRecord record in ReadAsync(path.Size.StartOf(first), end, WalRecordKinds.All, run.Last, cancellationToken).ConfigureAwait(false))
                tail = new LogEnd(record.Start, record.End);
            if (tail is not null)
                return tail.Value;
            // A record so long that it fills the last segments.
            if (first == run.First)
                throw PgErrors.WalDamaged(repository.Location, path.Segment(run.Last).ToString(), "no record begins in it.");
        }
    }

    /// <summary>The last commit or abort that ends at or before <paramref name="before"/>; looked for backwards, not further than <paramref name="from"/>.</summary>
    public async Task<WalTransactionEnd?> LastTransactionAsync(Lsn from, Lsn before, CancellationToken cancellationToken)
    {
        ulong lowest = path.NumberOf(from);
        for (ulong number = path.NumberBefore(before); ; number--)
        {
            WalTransactionEnd? last = null;
            Lsn end = Min(path.Size.StartOf(number + 1), before);
            await foreach (WalEvent found in EventsAsync(Max(path.Size.StartOf(number), from), end, WalRecordKinds.TransactionEnds, cancellationToken).ConfigureAwait(false))
            {
                if (found is WalTransactionEnd transaction && transaction.End <= before)
                    last = transaction;
            }
            if (last is not null || number <= lowest)
                return last;
        }
    }

    /// <summary>The newest time in a stretch: of transactions, restore points and checkpoints. Null when it holds none.</summary>
    public async Task<DateTimeOffset?> NewestTimeAsync(Lsn from, Lsn to, CancellationToken cancellationToken)
    {
        DateTimeOffset? newest = null;
        WalRecordKinds kinds = Timed | WalRecordKinds.CheckpointOnline | WalRecordKinds.CheckpointShutdown;
        await foreach (WalEvent found in EventsAsync(from, to, kinds, cancellationToken).ConfigureAwait(false))
        {
            DateTimeOffset? time = found switch
            {
                WalTransactionEnd transaction => transaction.Time,
                WalRestorePoint point => point.Time,
                WalCheckpoint checkpoint => checkpoint.Time.AddSeconds(1), // It holds whole seconds, cut off.
                _ => null,
            };
            if (time is not null && (newest is null || time > newest))
                newest = time;
        }
        return newest;
    }

    /// <summary>
    /// The record before which a recovery to a time stops: the first commit or abort after it (or at it, for an exclusive target). The archive is searched by
    /// halves for its neighbourhood, which is then read.
    /// </summary>
    public async Task<WalTransactionEnd?> FirstAfterAsync(Lsn from, WalRun run, RestoreTarget target, CancellationToken cancellationToken)
    {
        ulong lowest = path.NumberOf(from);
        ulong begin = await TimeSearch.FindBeginAsync(
            Math.Max(lowest, run.First), lowest, run.Last, target.Time!.Value, (number, last) => FirstTimeFromAsync(number, last, cancellationToken)).ConfigureAwait(false);
        await foreach (WalEvent found in EventsAsync(Max(from, path.Size.StartOf(begin)), null, WalRecordKinds.TransactionEnds, cancellationToken, run.Last).ConfigureAwait(false))
        {
            if (found is WalTransactionEnd transaction && TimeSearch.StopsBefore(transaction.Time, target))
                return transaction;
        }
        return null;
    }

    /// <summary>The first record that starts at an LSN or later, within a run; null when none does.</summary>
    public async Task<WalRecord?> FirstRecordAsync(Lsn from, WalRun run, CancellationToken cancellationToken)
    {
        // From the segment's start, so that the chain of records leads there.
        await foreach (WalRecord record in ReadAsync(path.Size.StartOf(path.NumberOf(from)), null, WalRecordKinds.All, run.Last, cancellationToken).ConfigureAwait(false))
        {
            if (record.Start >= from)
                return record with { Body = default };
        }
        return null;
    }

    /// <summary>
    /// All records in a stretch that match, in order: the whole stretch is read, by several workers. For names and transactions, which nothing leads to.
    /// </summary>
    public async Task<List<WalEvent>> FindAllAsync(Lsn from, Lsn to, WalRecordKinds kinds, Func<WalEvent, bool> match, string phase, CancellationToken cancellationToken)
    {
        ulong first = path.NumberOf(from), last = path.NumberBefore(to);
        long total = (long)(last - first) + 1, done = 0;
        var found = new List<WalEvent>[total];
        var options = new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0L, total, options, async (i, token) =>
        {
            ulong number = first + (ulong)i;
            var here = new List<WalEvent>();
            Lsn end = Min(path.Size.StartOf(number + 1), to);
            await foreach (WalEvent item in EventsAsync(Max(path.Size.StartOf(number), from), end, kinds, token, last).ConfigureAwait(false))
            {
                if (match(item))
                    here.Add(item);
            }
            found[i] = here;
            progress.Report(new OperationProgress("Planning the restore", phase, Interlocked.Increment(ref done), total, ProgressUnit.Items));
        }).ConfigureAwait(false);
        return [.. found.SelectMany(static f => f)];
    }

    // The first transaction's time in the first segment from a number on that has one.
    private async Task<(ulong Number, DateTimeOffset? Time)> FirstTimeFromAsync(ulong number, ulong last, CancellationToken cancellationToken)
    {
        for (; number <= last; number++)
        {
            if (!_firstTimes.TryGetValue(number, out DateTimeOffset? time))
            {
                Lsn end = path.Size.StartOf(number + 1);
                await foreach (WalEvent found in EventsAsync(path.Size.StartOf(number), end, WalRecordKinds.TransactionEnds, cancellationToken, last).ConfigureAwait(false))
                {
                    time = ((WalTransactionEnd)found).Time;
                    break;
                }
                _firstTimes[number] = time;
            }
            if (time is not null)
                return (number, time);
        }
        return (last, null);
    }

    private async IAsyncEnumerable<WalEvent> EventsAsync(
        Lsn from, Lsn? to, WalRecordKinds kinds, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken, ulong? last = null)
    {
        await foreach (WalRecord record in ReadAsync(from, to, kinds, last ?? path.NumberBefore(to!.Value), cancellationToken).ConfigureAwait(false))
        {
            if (WalEvent.Decode(record) is { } found)
                yield return found;
        }
    }

    private async IAsyncEnumerable<WalRecord> ReadAsync(
        Lsn from, Lsn? to, WalRecordKinds kinds, ulong last, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var options = new WalReadOptions
        {
            SegmentSize = path.Size,
            History = path.History,
            Start = from,
            StopAt = to,
            SystemIdentifier = systemIdentifier,
            Kinds = kinds,
        };
        WalEnd end;
        var reader = new WalRecordReader(new ArchivedWalSource(repository, inventory), options);
        await using (reader.ConfigureAwait(false))
        {
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                yield return reader.Current;
            end = reader.End!;
        }
        // In the middle of a run the log must go on; only the last segment may end early, as a server that went down left it.
        bool isLast = end.Segment.NumberFor(path.Size) >= last;
        if (end.Kind == WalEndKind.Damaged || (!isLast && end.Kind is WalEndKind.Torn or WalEndKind.EndOfWal))
            throw PgErrors.WalDamaged(repository.Location, end.Segment.ToString(), end.Message);
    }

    private static Lsn Min(Lsn a, Lsn b) => a < b ? a : b;

    private static Lsn Max(Lsn a, Lsn b) => a > b ? a : b;
}
