using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.WalRecords;

namespace PgBackup.Restore.Planning;

/// <summary>Where recovery from a backup will stop.</summary>
/// <param name="Backup">The backup to begin with.</param>
/// <param name="Stop">The end of what is replayed.</param>
/// <param name="Needed">The log must be there up to here, so that the server sees that it has to stop.</param>
/// <param name="LastRecord">The last record of the log, for a target action without a target.</param>
internal sealed record Reach(ClusterBackup Backup, Lsn Stop, Lsn Needed, Lsn LastRecord);

/// <summary>
/// Finds the backup to begin with and the point where the server will stop, by the rules that the server stops by (PostgreSQL source: xlogrecovery.c,
/// "recoveryStopsBefore" and "recoveryStopsAfter"), or says why there is none and what can be reached instead.
/// </summary>
internal sealed class TargetFinder
{
    private readonly ClusterPast _past;
    private readonly RestoreTarget _target;
    private readonly WalPath _path;
    private readonly WalScanner _scanner;
    private readonly IReadOnlyList<ClusterBackup> _candidates;

    /// <summary>Looks along a history, beginning with one of <paramref name="candidates"/> (oldest first; all of them lie on the history).</summary>
    public TargetFinder(ClusterPast past, TimelineHistory history, RestoreTarget target, IReadOnlyList<ClusterBackup> candidates, IProgress<OperationProgress> progress)
    {
        _past = past;
        _target = target;
        _candidates = candidates;
        _path = past.PathOf(history);
        _scanner = new WalScanner(past.Repository, past.Inventory, _path, past.SystemIdentifier, progress);
    }

    /// <summary>The log along the history.</summary>
    public WalPath Path => _path;

    /// <summary>The reader of that log.</summary>
    public WalScanner Scanner => _scanner;

    /// <summary>Throws <c>TargetNotReachable</c>, <c>WalGapDetected</c>, <c>WalDamaged</c>.</summary>
    public Task<Reach> FindAsync(CancellationToken cancellationToken) => _target.Kind switch
    {
        RestoreTargetKind.Immediate => ImmediateAsync(cancellationToken),
        RestoreTargetKind.Time => ByTimeAsync(cancellationToken),
        RestoreTargetKind.Lsn => ByLsnAsync(cancellationToken),
        RestoreTargetKind.Xid => ByRecordAsync(
            WalRecordKinds.TransactionEnds, e => e is WalTransactionEnd end && end.Xid == _target.Xid, "its commit or abort (a subtransaction that was released has none of its own) is not in the archived WAL", cancellationToken),
        RestoreTargetKind.Name => ByRecordAsync(
            WalRecordKinds.RestorePoint, e => e is WalRestorePoint point && point.Name == _target.Name, "no restore point of this name is in the archived WAL", cancellationToken),
        _ => LatestAsync(cancellationToken),
    };

    /// <summary>
    /// The earliest time that a backup can be restored to: by the server's clock, no transaction that is in it ended later. Its own record where we wrote it, else the
    /// newest time in the last of its WAL.
    /// </summary>
    public async Task<DateTimeOffset> ConsistentTimeAsync(ClusterBackup backup, CancellationToken cancellationToken)
    {
        if (backup.Sentinel?.PgBackup?.ConsistentTime is { } told)
            return told;
        Lsn start = backup.StartLsn!.Value, finish = backup.FinishLsn!.Value;
        ulong last = _path.NumberBefore(finish);
        Lsn near = last < 2 ? start : Max(start, _path.Size.StartOf(last - 1));
        RequireRun(backup);
        return await _scanner.NewestTimeAsync(near, finish, cancellationToken).ConfigureAwait(false)
            ?? await _scanner.NewestTimeAsync(start, finish, cancellationToken).ConfigureAwait(false)
            ?? backup.FinishTime ?? backup.StartTime ?? DateTimeOffset.MaxValue;
    }

    /// <summary>The segments from the start of a backup on. Throws <c>WalGapDetected</c> when not even the backup's own are all there.</summary>
    public WalRun RequireRun(ClusterBackup backup)
    {
        ulong first = _path.NumberOf(backup.StartLsn!.Value);
        if (_path.FirstMissing(first, backup.FinishLsn!.Value) is { } missing)
        {
            throw PgErrors.WalGapDetected(_past.Repository.Location, missing.ToString(), $"the backup '{backup.Name}' itself",
                "Bring the segment back (Push-PgWal, from pg_wal of a server that still has it), or restore another backup with -Name.");
        }
        return _path.RunFrom(first)!;
    }

    private async Task<Reach> LatestAsync(CancellationToken cancellationToken)
    {
        ClusterBackup backup = _candidates[^1];
        WalRun run = RequireRun(backup);
        LogEnd tail = await _scanner.TailAsync(run, cancellationToken).ConfigureAwait(false);
        if (run.Missing is { } missing)
        {
            throw PgErrors.WalGapDetected(_past.Repository.Location, missing.ToString(), _target.ToString(),
                $"Bring the segment back, or restore to the last point before the gap: -TargetLsn {tail.LastRecordStart}.");
        }
        return new Reach(backup, tail.End, tail.End, tail.LastRecordStart);
    }

    private async Task<Reach> ImmediateAsync(CancellationToken cancellationToken)
    {
        ClusterBackup backup = _candidates[^1];
        WalRun run = RequireRun(backup);
        LogEnd tail = await _scanner.TailAsync(run with { Last = _path.NumberBefore(backup.FinishLsn!.Value) }, cancellationToken).ConfigureAwait(false);
        return new Reach(backup, backup.FinishLsn.Value, backup.FinishLsn.Value, tail.LastRecordStart);
    }

    private async Task<Reach> ByLsnAsync(CancellationToken cancellationToken)
    {
        Lsn lsn = _target.Lsn!.Value;
        if (_candidates.LastOrDefault(b => b.FinishLsn!.Value <= lsn) is not { } backup)
            throw await BeforeFirstAsync(cancellationToken).ConfigureAwait(false);
        WalRun run = RequireRun(backup);
        if (_path.NumberOf(lsn) > run.Last)
            throw await BehindEndAsync(run, cancellationToken).ConfigureAwait(false);
        WalRecord? record = await _scanner.FirstRecordAsync(lsn, run, cancellationToken).ConfigureAwait(false);
        return record is { } found
            ? new Reach(backup, _target.IsExclusive ? found.Start : found.End, found.End, found.Start)
            : throw await BehindEndAsync(run, cancellationToken).ConfigureAwait(false);
    }

    private async Task<Reach> ByTimeAsync(CancellationToken cancellationToken)
    {
        for (int i = _candidates.Count - 1; i >= 0; i--)
        {
            ClusterBackup backup = _candidates[i];
            // Its end by its host's clock is no proof, but a backup that began long after the target needs no look into its WAL.
            if (backup.StartTime > _target.Time!.Value + TimeSpan.FromDays(1)
                || await ConsistentTimeAsync(backup, cancellationToken).ConfigureAwait(false) > _target.Time)
                continue;
            WalRun run = RequireRun(backup);
            WalTransactionEnd? stop = await _scanner.FirstAfterAsync(backup.FinishLsn!.Value, run, _target, cancellationToken).ConfigureAwait(false);
            return stop is not null
                ? new Reach(backup, stop.Start, stop.End, stop.Start)
                : throw await BehindEndAsync(run, cancellationToken).ConfigureAwait(false);
        }
        throw await BeforeFirstAsync(cancellationToken).ConfigureAwait(false);
    }

    // The server stops at the first match after the backup's start; when that lies within the backup it fails, so an older backup has to do.
    private async Task<Reach> ByRecordAsync(WalRecordKinds kinds, Func<WalEvent, bool> match, string absence, CancellationToken cancellationToken)
    {
        var known = new List<WalEvent>();
        Lsn? covered = null;
        WalRun? newest = null;
        bool seen = false;
        for (int i = _candidates.Count - 1; i >= 0; i--)
        {
            ClusterBackup backup = _candidates[i];
            WalRun run = RequireRun(backup);
            newest ??= run;
            Lsn start = backup.StartLsn!.Value, end = _path.Size.StartOf(run.Last + 1);
            bool joins = covered is { } from && end >= from;
            List<WalEvent> found = await _scanner.FindAllAsync(
                start, joins ? covered!.Value : end, kinds, match, $"Searching the WAL for {_target}", cancellationToken).ConfigureAwait(false);
            known = joins ? [.. found, .. known] : found;
            covered = start;
            if (known.Count == 0)
                continue;
            seen = true;
            WalEvent first = known[0];
            Lsn stop = _target.IsExclusive ? first.Start : first.End;
            if (stop >= backup.FinishLsn!.Value)
                return new Reach(backup, stop, first.End, first.Start);
        }
        if (seen)
            throw await BeforeFirstAsync(cancellationToken).ConfigureAwait(false);
        if (newest?.Missing is not null)
            throw await BehindEndAsync(newest, cancellationToken).ConfigureAwait(false);
        throw PgErrors.TargetNotReachable(_target.ToString(), $"{absence} of timeline {_path.History.Timeline}.", await ReachableAsync(cancellationToken).ConfigureAwait(false));
    }

    private async Task<PgBackupException> BeforeFirstAsync(CancellationToken cancellationToken)
    {
        ClusterBackup first = _candidates[0];
        DateTimeOffset time = await ConsistentTimeAsync(first, cancellationToken).ConfigureAwait(false);
        return PgErrors.TargetNotReachable(
            _target.ToString(),
            $"it lies before the first consistent point of the {(_candidates.Count == 1 ? "backup" : "oldest backup")} '{first.Name}' on timeline {_path.History.Timeline}, "
            + $"{first.FinishLsn} at {TargetTime.ToPostgres(time)}.",
            $"The nearest point that can be reached is that one: -Name {first.Name} -Immediate. Get-PgRecoveryWindow shows the whole window.");
    }

    private async Task<PgBackupException> BehindEndAsync(WalRun run, CancellationToken cancellationToken)
    {
        LogEnd tail = await _scanner.TailAsync(run, cancellationToken).ConfigureAwait(false);
        WalTransactionEnd? last = await _scanner.LastTransactionAsync(_candidates[0].StartLsn!.Value, tail.End, cancellationToken).ConfigureAwait(false);
        string until = last is null ? $"{tail.LastRecordStart}" : $"{tail.LastRecordStart}; the last transaction in it ended at {TargetTime.ToPostgres(last.Time)}";
        if (run.Missing is { } missing)
        {
            return PgErrors.WalGapDetected(_past.Repository.Location, missing.ToString(), _target.ToString(),
                $"The log before the gap reaches to {until}. Bring the segment back (Push-PgWal), or restore to -TargetLsn {tail.LastRecordStart}.");
        }
        return PgErrors.TargetNotReachable(
            _target.ToString(),
            $"the archived WAL of timeline {_path.History.Timeline} reaches to {until}."
            + (_target.Kind == RestoreTargetKind.Time ? " A time can be reached when a transaction that ended later is archived." : ""),
            "Give -Latest to restore all that is archived, or wait until more WAL is (SELECT pg_switch_wal() hurries it).");
    }

    private async Task<string> ReachableAsync(CancellationToken cancellationToken)
    {
        WalRun run = RequireRun(_candidates[^1]);
        LogEnd tail = await _scanner.TailAsync(run, cancellationToken).ConfigureAwait(false);
        return $"Between {_candidates[0].FinishLsn} and {tail.LastRecordStart} every point can be reached by -TargetLsn; -Latest restores all of it.";
    }

    private static Lsn Max(Lsn a, Lsn b) => a > b ? a : b;
}
