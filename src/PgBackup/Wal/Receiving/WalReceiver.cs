using System.Diagnostics;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.Replication;
using PgBackup.Postgres.Server;
using PgBackup.Repository;
using PgBackup.Wal.Push;

namespace PgBackup.Wal.Receiving;

/// <summary>Receives a server's WAL by streaming replication into a repository.</summary>
public sealed class WalReceiver
{
    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan s_limitLook = TimeSpan.FromDays(1);

    // The server needs a moment to see that the receiver before this one has gone; longer when the network ate its farewell.
    private static readonly TimeSpan s_slotPatience = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_slotPatienceAfterLoss = TimeSpan.FromMinutes(2);

    // A standby that was started again has not fetched again what it had sent before.
    private static readonly TimeSpan s_aheadPatience = TimeSpan.FromMinutes(1);

    private readonly BackupRepository _repository;
    private readonly WalReceiveOptions _options;
    private readonly Action<ReceivedWal> _tell;
    private readonly IOperationLog _log;
    private readonly IProgress<OperationProgress> _progress;
    private ClusterSource _source = null!;
    private WalKeeper _keeper = null!;
    private HistoryKeeper _histories = null!;
    private WalSegmentName? _behindGap;
    private bool _hasStreamed;
    private bool _hasReceived;

    private WalReceiver(
        BackupRepository repository, WalReceiveOptions options, Action<ReceivedWal> tell, IOperationLog log, IProgress<OperationProgress> progress)
    {
        _repository = repository;
        _options = options;
        _tell = tell;
        _log = log;
        _progress = progress;
    }

    /// <summary>
    /// Receives until the limit is reached or it is stopped; what was received by then is stored before it returns. Connections that are lost are made again. Throws
    /// <c>ReceiveOptionsInvalid</c>, <c>ReplicationSlotNotFound</c>, <c>ReplicationSlotBusy</c>, <c>ReplicationSlotUnusable</c>, <c>WalGapDetected</c>, <c>WalAheadOfServer</c>,
    /// <c>WalContentConflict</c>, <c>TimelineHistoryMissing</c>, <c>ClusterIdentityMismatch</c>, <c>WalSpoolFailed</c>, what connecting and what the store throw.
    /// </summary>
    /// <param name="repository">Where to.</param>
    /// <param name="options">What, and how soon.</param>
    /// <param name="tell">Told each file that is durable; must return at once.</param>
    /// <param name="log">Where to say what is done.</param>
    /// <param name="progress">How far it is.</param>
    /// <param name="cancellationToken">Stops it; that is no failure.</param>
    public static Task RunAsync(
        BackupRepository repository, WalReceiveOptions options, Action<ReceivedWal> tell, IOperationLog? log = null, IProgress<OperationProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        new WalReceiver(repository, options, tell, log ?? OperationLog.None, progress ?? NoProgress.Instance).RunAsync(cancellationToken);

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        _options.Require();
        using ReceiveFolder folder = ReceiveFolder.Create();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var abandon = new CancellationTokenSource();
        ReplicationConnection? connection = null;
        ReceiveSession? session = null;
        Task? keeping = null;
        try
        {
            connection = await OpenAsync(stop.Token).ConfigureAwait(false);
            await PrepareAsync(connection, folder.Path, stop.Token).ConfigureAwait(false);
            using ITimer? limit = _options.Until?.Time is { } time ? StopAt(time, stop) : null;
            keeping = Task.Run(() => KeepAsync(stop, abandon.Token), CancellationToken.None);
            bool isDone = false;
            var failing = new Patience();
            while (!isDone)
            {
                try
                {
                    connection ??= await OpenAsync(stop.Token).ConfigureAwait(false);
                    session = new ReceiveSession(connection, _options, _keeper, _progress);
                    isDone = await StreamAsync(connection, session, stop.Token).ConfigureAwait(false);
                }
                catch (PgBackupException error) when (MayPass(error, failing) && !stop.IsCancellationRequested)
                {
                    _log.Warning($"{error.Message} Trying again.");
                }
                if (isDone)
                    break;
                if (session?.HasReceived == true)
                    failing = new Patience();
                session = null;
                if (connection is not null)
                    await connection.DisposeAsync().ConfigureAwait(false);
                connection = null;
                await Task.Delay(failing.NextPause(), stop.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // By the caller, by the limit, or because storing failed, which is told below.
        }
        finally
        {
            try
            {
                await EndAsync(keeping, session, abandon).ConfigureAwait(false);
            }
            finally
            {
                if (connection is not null)
                    await connection.DisposeAsync().ConfigureAwait(false);
                _keeper?.Dispose();
            }
        }
    }

    /// <summary>The first connection: whose WAL it is, where it goes on, and whether it may.</summary>
    private async Task PrepareAsync(ReplicationConnection connection, string folder, CancellationToken cancellationToken)
    {
        SystemIdentity identity = await connection.IdentifySystemAsync(cancellationToken).ConfigureAwait(false);
        _source = await ClusterSource.ReadAsync(connection, identity.SystemIdentifier, cancellationToken).ConfigureAwait(false);
        await RepositoryAdmission.RequireAsync(_repository, _source.Identity, newLineage: false, cancellationToken).ConfigureAwait(false);
        PhysicalSlot slot = await RequireSlotAsync(connection, cancellationToken).ConfigureAwait(false);
        WalInventory inventory = (await WalInventory.LoadAsync(_repository, cancellationToken).ConfigureAwait(false)).WithPiecesOf(_source.SystemIdentifier);
        // After pg_upgrade or initdb the other cluster's segments say nothing of what is held of this one.
        WalLineages lineages = await WalLineages.ReadAsync(_repository, inventory, new HashSet<ulong> { _source.SystemIdentifier }, cancellationToken).ConfigureAwait(false);
        inventory = lineages.Of(_source.SystemIdentifier);
        await PieceLeftovers.RemoveAsync(_repository, _source.SystemIdentifier, inventory, _log, cancellationToken).ConfigureAwait(false);
        var push = new WalPush(_repository, _log) { KnowsFinished = true };
        _keeper = new WalKeeper(_repository, push, _source, _options, folder, _tell, _log);
        _histories = new HistoryKeeper(_repository, push, folder, _tell, _log);
        TimelineHistory history = await _histories.LearnAsync(connection, identity.Timeline, cancellationToken).ConfigureAwait(false);
        WalSegmentName start = ReceiveStart.Find(history, inventory, slot, identity.FlushLsn, _source.Size);
        _behindGap = _options.AllowGap ? ReceiveStart.Fresh(history, slot, identity.FlushLsn, _source.Size) : null;
        await _keeper.BeginAsync(start, history.SpanOf(start.Timeline)?.Start, cancellationToken).ConfigureAwait(false);
        _log.Verbose($"Receiving timeline {start.Timeline} from {_keeper.Received} on.");
    }

    private Task<ReplicationConnection> OpenAsync(CancellationToken cancellationToken) =>
        ReplicationConnection.OpenAsync(_options.Server, _options.Slot, staysWhenIdle: false, _log, cancellationToken);

    private async Task<PhysicalSlot> RequireSlotAsync(ReplicationConnection connection, CancellationToken cancellationToken)
    {
        if (_options.CreateSlot && await connection.CreatePhysicalSlotAsync(_options.Slot, cancellationToken).ConfigureAwait(false))
            _log.Information($"The replication slot '{_options.Slot}' was made on {connection.Server}; from now on the server keeps WAL until it was received.");
        if (connection.MajorVersion >= 15)
        {
            return await connection.ReadSlotAsync(_options.Slot, cancellationToken).ConfigureAwait(false)
                ?? throw PgErrors.ReplicationSlotNotFound(connection.Server, _options.Slot);
        }
        try
        {
            ServerSession session = await ServerSession.OpenMaintenanceAsync(_options.Server, cancellationToken).ConfigureAwait(false);
            await using (session.ConfigureAwait(false))
            {
                List<PhysicalSlot> rows = await session.QueryAsync(
                    "SELECT restart_lsn::text FROM pg_replication_slots WHERE slot_name = $1",
                    row => new PhysicalSlot(row.IsDBNull(0) ? null : Lsn.Parse(row.GetString(0)), null), cancellationToken, _options.Slot).ConfigureAwait(false);
                return rows is [var slot] ? slot : throw PgErrors.ReplicationSlotNotFound(connection.Server, _options.Slot);
            }
        }
        catch (PgBackupException error) when (error.Id is "ServerConnectionFailed" or "AuthenticationFailed")
        {
            // The role may be for replication alone. The stream itself tells when there is no such slot.
            _log.Verbose($"The slot cannot be looked up: {error.Message}");
            return new PhysicalSlot(null, null);
        }
    }

    // By looking again: a timer reaches 49 days.
    private static Timer StopAt(DateTimeOffset time, CancellationTokenSource stop)
    {
        Timer? timer = null;
        timer = new Timer(
            _ =>
            {
                TimeSpan left = time - DateTimeOffset.UtcNow;
                if (left <= TimeSpan.Zero)
                    stop.Cancel();
                else
                    timer?.Change(left < s_limitLook ? left : s_limitLook, Timeout.InfiniteTimeSpan);
            });
        timer.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        return timer;
    }

    private async Task KeepAsync(CancellationTokenSource stop, CancellationToken abandon)
    {
        try
        {
            await _keeper.RunAsync(abandon).ConfigureAwait(false);
        }
        finally
        {
            // When storing has failed for good there is nothing to receive for.
            await stop.CancelAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Streams on one connection, from timeline to timeline; true when the limit was reached, false when the server goes down.</summary>
    private async Task<bool> StreamAsync(ReplicationConnection connection, ReceiveSession session, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task watching = Task.CompletedTask;
        try
        {
            await TakeUpAsync(connection, cancellationToken).ConfigureAwait(false);
            await session.ReadTimeoutAsync(cancellationToken).ConfigureAwait(false);
            await SynchronousWatch.AskAsync(connection, _options, _keeper, _log, cancellationToken).ConfigureAwait(false);
            watching = SynchronousWatch.RunAsync(_options, connection.MajorVersion, _keeper, _log, stop.Token);
            while (true)
            {
                switch (await session.RunAsync(cancellationToken).ConfigureAwait(false))
                {
                    case StreamEnd.LimitReached:
                        return true;
                    case StreamEnd.ServerStops:
                        _log.Verbose($"The server {_source.Server} goes down; waiting for it to come back.");
                        return false;
                    default:
                        (TimelineId timeline, Lsn start) = await session.FinishTimelineAsync(cancellationToken).ConfigureAwait(false);
                        await _histories.LearnAsync(connection, timeline, cancellationToken).ConfigureAwait(false);
                        await SwitchAsync(timeline, start, cancellationToken).ConfigureAwait(false);
                        break;
                }
            }
        }
        catch (Exception error) when (ReceiveErrors.Translate(error, connection, _options.Slot, _repository.Location, Wanted()) is { } known)
        {
            if (known.Id == "WalGapDetected" && _behindGap is { } behind && !_hasReceived && !session.HasReceived)
            {
                _log.Warning($"{known.Message} Going on behind the gap, with {behind}. Take a full backup now: nothing after the gap can be restored without one.");
                _behindGap = null;
                await _keeper.BeginAsync(behind, null, cancellationToken).ConfigureAwait(false);
                return false;
            }
            throw known;
        }
        finally
        {
            _hasStreamed |= session.HasStarted;
            _hasReceived |= session.HasReceived;
            await stop.CancelAsync().ConfigureAwait(false);
            await watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private WalSegmentName Wanted() => WalSegmentName.Containing(_keeper.Timeline, _keeper.Received, _source.Size);

    /// <summary>Proves that the server is still the one, or its heir, and moves on to the timeline that leads to its.</summary>
    private async Task TakeUpAsync(ReplicationConnection connection, CancellationToken cancellationToken)
    {
        SystemIdentity identity = await connection.IdentifySystemAsync(cancellationToken).ConfigureAwait(false);
        if (identity.SystemIdentifier != _source.SystemIdentifier)
            throw PgErrors.ClusterIdentityMismatch(_repository.Location, identity.SystemIdentifier, _source.SystemIdentifier);
        TimelineHistory history = await _histories.LearnAsync(connection, identity.Timeline, cancellationToken).ConfigureAwait(false);
        TimelineSpan? span = history.SpanOf(_keeper.Timeline);
        if (span is null || (span.End is null && _keeper.Received > identity.FlushLsn))
            throw PgErrors.WalAheadOfServer(connection.Server, _repository.Location, _keeper.Timeline, _keeper.Received, identity.FlushLsn);
        while (span?.End is { } end && _keeper.Received >= end)
        {
            while (_keeper.Durable < _keeper.Received)
            {
                _keeper.Demand();
                await Task.Delay(20, cancellationToken).ConfigureAwait(false);
            }
            TimelineSpan next = history.Path.First(s => s.Timeline > span.Timeline);
            await SwitchAsync(next.Timeline, next.Start, cancellationToken).ConfigureAwait(false);
            span = next;
        }
    }

    private async Task SwitchAsync(TimelineId timeline, Lsn start, CancellationToken cancellationToken)
    {
        if (_keeper.Unfinished() is { } last)
            _tell(last);
        _log.Information($"Timeline {_keeper.Timeline} has ended at {start}; going on with timeline {timeline}.");
        await _keeper.BeginAsync(WalSegmentName.Containing(timeline, start, _source.Size), start, cancellationToken).ConfigureAwait(false);
    }

    private bool MayPass(PgBackupException error, Patience failing) => error.Id switch
    {
        "ReplicationSlotBusy" => failing.IsWithin(error.Id, _hasStreamed ? s_slotPatienceAfterLoss : s_slotPatience),
        "WalAheadOfServer" => failing.IsWithin(error.Id, _hasStreamed ? s_aheadPatience : s_slotPatience),
        _ => _hasStreamed && ReceiveErrors.IsPassing(error),
    };

    private async Task EndAsync(Task? keeping, ReceiveSession? session, CancellationTokenSource abandon)
    {
        if (keeping is null)
            return;
        _keeper.End();
        abandon.CancelAfter(_options.StopGrace);
        try
        {
            await keeping.ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            _log.Warning($"What was received behind {_keeper.Durable} could not be stored any more; the server keeps it for the slot '{_options.Slot}'.");
        }
        if (session is not null)
            await session.LeaveAsync().ConfigureAwait(false);
        if (_keeper.Unfinished() is { } last)
            _tell(last);
    }

    /// <summary>How long something has failed, and how long to wait.</summary>
    private sealed class Patience
    {
        private readonly BackOff _pauses = new(s_firstPause, s_longestPause);
        private string? _id;
        private long _since;

        public bool IsWithin(string id, TimeSpan limit)
        {
            if (_id != id)
                (_id, _since) = (id, Stopwatch.GetTimestamp());
            return Stopwatch.GetElapsedTime(_since) < limit;
        }

        public TimeSpan NextPause() => _pauses.Next();
    }
}
