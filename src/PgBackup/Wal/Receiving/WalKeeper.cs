using System.Diagnostics;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Pieces;
using PgBackup.Wal.Push;

namespace PgBackup.Wal.Receiving;

/// <summary>
/// Brings what was received into the repository: whole segments one after the other, in their order, so that a kill leaves no hole; of the unfinished one pieces. The
/// receiving side waits only when so many segments are on disk that there is no room for another.
/// </summary>
internal sealed class WalKeeper : IDisposable
{
    private const long RoomBytes = 64L << 20;

    // What comes in one burst goes into one piece.
    private static readonly TimeSpan s_gather = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_idle = TimeSpan.FromMinutes(1);

    private readonly BackupRepository _repository;
    private readonly WalPush _push;
    private readonly ClusterSource _source;
    private readonly WalReceiveOptions _options;
    private readonly string _folder;
    private readonly Action<ReceivedWal> _tell;
    private readonly IOperationLog _log;
    private readonly StorePatience _patience;
    private readonly SemaphoreSlim _room;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly AsyncSignal _work = new();
    private readonly Lock _lock = new();
    private readonly List<SegmentSpool> _spools = []; // The last one is being written.
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private PieceLadder _ladder = new();
    private TimeSpan? _lastPiece;
    private volatile bool _isDemanded;
    private volatile bool _isSynchronous;
    private volatile bool _isEnding;
    private Lsn _firstOwn;
    private ulong _durable;
    private ulong _received;

    public WalKeeper(
        BackupRepository repository, WalPush push, ClusterSource source, WalReceiveOptions options, string folder, Action<ReceivedWal> tell, IOperationLog log)
    {
        _repository = repository;
        _push = push;
        _source = source;
        _options = options;
        _folder = folder;
        _tell = tell;
        _log = log;
        _patience = new StorePatience(log);
        _room = new SemaphoreSlim((int)Math.Max(1, RoomBytes / source.Size.Bytes) + 1);
    }

    /// <summary>Set whenever <see cref="Durable"/> moves.</summary>
    public AsyncSignal Moved { get; } = new();

    /// <summary>The timeline that is received.</summary>
    public TimelineId Timeline { get; private set; }

    /// <summary>The LSN behind what was received.</summary>
    public Lsn Received => new(Volatile.Read(ref _received));

    /// <summary>The LSN behind what is durable in the repository.</summary>
    public Lsn Durable => new(Volatile.Read(ref _durable));

    /// <summary>Commits wait for this receiver: what comes is put at once.</summary>
    public bool IsSynchronous
    {
        get => _isSynchronous;
        set
        {
            _isSynchronous = value;
            _work.Set();
        }
    }

    /// <summary>
    /// Where streaming goes on: a page before what was received, so that the server's bytes can be compared with those that are here; the segment's start when there are none.
    /// </summary>
    public Lsn Resume
    {
        get
        {
            lock (_lock)
            {
                SegmentSpool current = _spools[^1];
                int length = current.Length;
                return current.IsFull ? current.End : current.Start + (ulong)(length == 0 ? 0 : (length - 1) & ~(Postgres.WalRecords.WalPageHeader.PageSize - 1));
            }
        }
    }

    /// <summary>
    /// Begins with a segment, of which the repository may hold pieces; everything before is durable. Throws what reading them throws. Where the segment begins
    /// with what its parent timeline wrote, <paramref name="firstOwn"/> is where its own begins.
    /// </summary>
    public async Task BeginAsync(WalSegmentName segment, Lsn? firstOwn, CancellationToken cancellationToken)
    {
        await _room.WaitAsync(cancellationToken).ConfigureAwait(false);
        var spool = new SegmentSpool(_folder, segment, _source.Size);
        PieceLadder ladder;
        try
        {
            ladder = await TakeOverAsync(spool, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            Release(spool);
            throw;
        }
        // Not while the keeper still works on what is let go of.
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        lock (_lock)
        {
            // Of a timeline that has ended: what it held is durable in pieces.
            foreach (SegmentSpool old in _spools)
                Release(old);
            _spools.Clear();
            _spools.Add(spool);
            _ladder = ladder;
            Timeline = segment.Timeline;
            _firstOwn = firstOwn ?? Lsn.Zero;
            Volatile.Write(ref _received, spool.Received.Value);
            Volatile.Write(ref _durable, spool.Received.Value);
        }
        _turn.Release();
        _work.Set();
    }

    /// <summary>Takes bytes of the log. Waits for room. Throws <c>ServerAnswerUnexpected</c>, <c>WalContentConflict</c>, <c>WalSpoolFailed</c>.</summary>
    public async ValueTask AppendAsync(Lsn position, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        while (!content.IsEmpty)
        {
            SegmentSpool current = Current();
            if (current.IsFull && position >= current.End)
            {
                if (position != current.End)
                    throw PgErrors.ReceivedStreamInvalid(_source.Server, current.End, position);
                _work.Set();
                await _room.WaitAsync(cancellationToken).ConfigureAwait(false);
                var next = new SegmentSpool(_folder, current.Name.NextFor(_source.Size), _source.Size);
                lock (_lock)
                    _spools.Add(next);
                current = next;
            }
            if (position < current.Start || position > current.Received)
                throw PgErrors.ReceivedStreamInvalid(_source.Server, current.Received, position);
            int count = (int)Math.Min(content.Length, current.End - position);
            int differs = current.Append((int)(position - current.Start), content.Span[..count]);
            if (differs >= 0)
                throw PgErrors.WalReceivedDiffers(_source.Server, _repository.Location, current.Name.ToString(), current.Start + (ulong)differs);
            position += (ulong)count;
            content = content[count..];
            if (position > Received)
                Volatile.Write(ref _received, position.Value);
        }
        _work.Set();
    }

    /// <summary>Has what was received so far put at once.</summary>
    public void Demand()
    {
        _isDemanded = true;
        _work.Set();
    }

    /// <summary>Stores until <see cref="End"/> was called and everything is durable.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (await StepAsync(cancellationToken).ConfigureAwait(false) is { } wait)
        {
            if (wait > TimeSpan.Zero)
                await _work.WaitAsync(wait, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Nothing more comes.</summary>
    public void End()
    {
        _isEnding = true;
        _work.Set();
    }

    /// <summary>Tells what is left of the segment that was not finished; null when there is nothing.</summary>
    public ReceivedWal? Unfinished()
    {
        SegmentSpool? current = First();
        return current is null or { Durable: 0 } or { IsFull: true }
            ? null
            : Describe(
                current, ReceivedWalStatus.Unfinished, current.Durable, TimeSpan.Zero, WalPiece.FolderOf(_source.SystemIdentifier, current.Name));
    }

    public void Dispose()
    {
        foreach (SegmentSpool spool in _spools)
            spool.Dispose();
        _room.Dispose();
        _turn.Dispose();
        _work.Dispose();
        Moved.Dispose();
    }

    /// <summary>Fills a spool with what the repository holds of it in pieces.</summary>
    private async Task<PieceLadder> TakeOverAsync(SegmentSpool spool, CancellationToken cancellationToken)
    {
        var ladder = new PieceLadder();
        if (await WalPieceReader.AssembleAsync(_repository, _source.SystemIdentifier, spool.Name, spool.Handle, _log, cancellationToken).ConfigureAwait(false) is not { End: > 0 } held)
            return ladder;
        // What is not held safely is received again.
        if (held.Fault is { } fault)
            _log.Warning($"The pieces of {spool.Name} can be used up to {spool.Start + (ulong)held.End} only; the rest is received again: {fault.Message}");
        spool.Resume(held.End);
        List<WalPiece> pieces = await WalPieces.ListAsync(_repository, _source.SystemIdentifier, spool.Name, cancellationToken).ConfigureAwait(false);
        // Those behind a gap hold what is not here yet.
        foreach (WalPiece piece in pieces.Where(p => p.End <= held.End).OrderBy(p => p.Start))
            ladder.Add(piece);
        _log.Verbose($"The repository holds pieces of {spool.Name} up to {spool.Received}.");
        return ladder;
    }

    private SegmentSpool Current()
    {
        lock (_lock)
            return _spools[^1];
    }

    private SegmentSpool? First()
    {
        lock (_lock)
            return _spools.Count == 0 ? null : _spools[0];
    }

    /// <summary>Stores what is due; how long to wait before the next step, null when there is none.</summary>
    private async Task<TimeSpan?> StepAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            SegmentSpool? first = First();
            if (first is { IsFull: true, IsStored: false })
            {
                await StoreAsync(first, cancellationToken).ConfigureAwait(false);
                return TimeSpan.Zero;
            }
            if (first is { IsStored: true } && TryDrop(first))
                return TimeSpan.Zero;
            if (first?.Waiting is not { } waiting)
                return _isEnding ? null : s_idle;
            // The parent's pieces reach to the point where this timeline begins: shorter ones of this timeline would hide them.
            if (first.Received < _firstOwn)
                return _isEnding ? null : s_idle;
            TimeSpan wait = _isDemanded || _isSynchronous || _isEnding ? TimeSpan.Zero : Due(waiting);
            if (wait > TimeSpan.Zero)
                return wait;
            await PutPieceAsync(first, cancellationToken).ConfigureAwait(false);
            return TimeSpan.Zero;
        }
        finally
        {
            _turn.Release();
        }
    }

    // After a quiet time what comes is put soon; under load once in each interval.
    private TimeSpan Due(TimeSpan waiting)
    {
        TimeSpan gather = (_options.Interval < s_gather ? _options.Interval : s_gather) - waiting;
        TimeSpan interval = _lastPiece is { } last ? last + _options.Interval - _clock.Elapsed : TimeSpan.Zero;
        return interval > gather ? interval : gather;
    }

    private async Task StoreAsync(SegmentSpool spool, CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        WalPushResult pushed = await _patience.RunAsync(
            token => _push.PushAsync(spool.Path, token), $"The segment {spool.Name}", cancellationToken).ConfigureAwait(false);
        spool.MarkDurable(spool.Size.Bytes, start);
        _tell(Describe(spool, StatusOf(pushed.Status), spool.Size.Bytes, Stopwatch.GetElapsedTime(start), pushed.Key));
        spool.IsStored = true;
        _ladder = new PieceLadder();
        Advance(spool.End);
        await RemovePiecesAsync(spool.Name, cancellationToken).ConfigureAwait(false);
    }

    // The last one stays until the next byte comes: it knows where the log goes on.
    private bool TryDrop(SegmentSpool spool)
    {
        lock (_lock)
        {
            if (_spools.Count == 1)
                return false;
            _spools.Remove(spool);
            Release(spool);
            return true;
        }
    }

    private async Task PutPieceAsync(SegmentSpool spool, CancellationToken cancellationToken)
    {
        _isDemanded = false;
        int start = spool.Durable, end = spool.Length;
        long began = Stopwatch.GetTimestamp();
        _lastPiece = _clock.Elapsed;
        WalPiece piece = await _patience.RunAsync(
            token => WalPieces.PutAsync(_repository, _source.SystemIdentifier, spool.Name, spool.Size, spool.Handle, start, end, token),
            $"The newest WAL, up to {spool.Start + (ulong)end},", cancellationToken).ConfigureAwait(false);
        spool.MarkDurable(end, began);
        Advance(spool.Start + (ulong)end);
        _ladder.Add(piece);
        if (_options.MaxLag < Stopwatch.GetElapsedTime(began))
            _log.Warning($"The repository took {Stopwatch.GetElapsedTime(began).TotalSeconds:F1} s for {end - start} bytes of WAL: longer than MaxLag, {_options.MaxLag.TotalSeconds:F1} s.");
        if (!_isEnding && !spool.IsFull)
            await MergeAsync(spool, cancellationToken).ConfigureAwait(false);
    }

    private async Task MergeAsync(SegmentSpool spool, CancellationToken cancellationToken)
    {
        try
        {
            while (_ladder.Due() is { Count: > 0 } due)
            {
                int start = due.Min(p => p.Start), end = due.Max(p => p.End);
                WalPiece merged = await WalPieces.PutAsync(
                    _repository, _source.SystemIdentifier, spool.Name, spool.Size, spool.Handle, start, end, cancellationToken).ConfigureAwait(false);
                await WalPieces.DeleteAsync(_repository, [.. due.Where(p => p.Object.Key != merged.Object.Key)], cancellationToken).ConfigureAwait(false);
                _ladder.Replace(due, merged);
            }
        }
        catch (PgBackupException error) when (StorePatience.IsPassing(error))
        {
            _log.Verbose($"The pieces of {spool.Name} were not put together yet: {error.Message}");
        }
    }

    private async Task RemovePiecesAsync(WalSegmentName segment, CancellationToken cancellationToken)
    {
        try
        {
            List<WalPiece> pieces = await WalPieces.ListAsync(_repository, _source.SystemIdentifier, segment, cancellationToken).ConfigureAwait(false);
            await WalPieces.DeleteAsync(_repository, pieces, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (StorePatience.IsPassing(error))
        {
            _log.Verbose($"The pieces of {segment}, which is stored whole, were not deleted; the next receiver does it: {error.Message}");
        }
    }

    private void Advance(Lsn durable)
    {
        Volatile.Write(ref _durable, durable.Value);
        Moved.Set();
    }

    private void Release(SegmentSpool spool)
    {
        spool.Dispose();
        _room.Release();
    }

    private static ReceivedWalStatus StatusOf(WalPushStatus status) => status switch
    {
        WalPushStatus.AlreadyStored => ReceivedWalStatus.AlreadyStored,
        WalPushStatus.Replaced => ReceivedWalStatus.Replaced,
        _ => ReceivedWalStatus.Stored,
    };

    private ReceivedWal Describe(SegmentSpool spool, ReceivedWalStatus status, int length, TimeSpan duration, string key) => new()
    {
        Name = spool.Name.ToString(),
        Kind = WalFileKind.Segment,
        Timeline = spool.Name.Timeline,
        StartLsn = spool.Start,
        EndLsn = spool.Start + (ulong)length,
        Status = status,
        Size = length,
        ReceivedTime = spool.ReceivedTime,
        StoredTime = DateTimeOffset.UtcNow,
        Duration = duration,
        Server = _source.Server,
        Repository = _repository.Location,
        Key = key,
    };
}
