using System.Diagnostics;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Wal.Spool;

namespace PgBackup.Wal.Push;

/// <summary>
/// A push that works ahead: beside the file that the server asks for, other files that wait in its pg_wal are stored, several at once, and remembered in the spool. When the server asks
/// for one of those, only its object is looked for.
/// </summary>
public sealed class WalPushAhead
{
    // No longer than this after the start is anything stored ahead: the server waits, and its shutdown with it.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    private readonly BackupRepository _repository;
    private readonly WalPush _push;
    private readonly PushReceipts? _receipts;
    private readonly string _path;
    private readonly int _most;
    private readonly IOperationLog _log;

    private WalPushAhead(BackupRepository repository, PushReceipts? receipts, string path, int most, IOperationLog log)
    {
        _repository = repository;
        _push = new WalPush(repository, log);
        _receipts = receipts;
        _path = path;
        _most = most;
        _log = log;
    }

    /// <summary>Stores one file, as <see cref="WalPush.PushAsync(string, CancellationToken)"/> does, and others that wait beside it. Only the failure of the one is a failure.</summary>
    /// <param name="settings">Where to.</param>
    /// <param name="path">The file, in the server's pg_wal.</param>
    /// <param name="log">Where to say what is done.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static Task<WalPushResult> PushAsync(RepositorySettings settings, string path, IOperationLog? log = null, CancellationToken cancellationToken = default)
    {
        log ??= OperationLog.None;
        string full = Path.GetFullPath(path);
        string walFolder = Path.GetDirectoryName(full)!;
        PushReceipts? receipts = null;
        try
        {
            if (settings.Wal.ReadAhead > 0 && WalSpool.TryOpen(settings, walFolder, log) is { } spool)
                receipts = new PushReceipts(spool);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            log.Verbose($"Nothing is stored ahead: {error.Message}");
        }
        return new WalPushAhead(BackupRepository.Open(settings), receipts, full, settings.Wal.ReadAhead, log).RunAsync(cancellationToken);
    }

    private async Task<WalPushResult> RunAsync(CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        if (await RecallAsync(start, cancellationToken).ConfigureAwait(false) is { } known)
            return known;
        if (_receipts is null)
            return await _push.PushAsync(_path, cancellationToken).ConfigureAwait(false);

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task<WalPushResult> asked = Task.Run(() => _push.PushAsync(_path, cancellationToken), CancellationToken.None);
        var ahead = new Queue<string>(Waiting());
        var workers = new Task[Math.Min(WalPushSeries.FilesAtOnce - 1, ahead.Count)];
        for (int i = 0; i < workers.Length; i++)
            workers[i] = Task.Run(() => WorkAsync(ahead, start, stop.Token), CancellationToken.None);
        try
        {
            WalPushResult result = await asked.ConfigureAwait(false);
            // The server's file is safe. It waits for what goes on, but not for a store that has stopped to answer.
            TimeSpan rest = s_patience - Stopwatch.GetElapsedTime(start);
            stop.CancelAfter(rest > TimeSpan.Zero ? rest : TimeSpan.Zero);
            await WorkAsync(ahead, start, stop.Token).ConfigureAwait(false);
            return result;
        }
        catch
        {
            // Whatever failed will fail for the others too; the answer does not wait for them.
            await stop.CancelAsync().ConfigureAwait(false);
            throw;
        }
        finally
        {
            await Task.WhenAll(workers).ConfigureAwait(false);
        }
    }

    /// <summary>What was stored ahead, when its object is still there.</summary>
    private async Task<WalPushResult?> RecallAsync(long start, CancellationToken cancellationToken)
    {
        try
        {
            if (_receipts?.Find(_path) is not (var key, var storedSize) || !WalFileName.TryParse(Path.GetFileName(_path), out WalFileName? file))
                return null;
            if (await _repository.Store.StatAsync(key, cancellationToken).ConfigureAwait(false) is not { } stored || stored.Size != storedSize)
                return null;
            return new WalPushResult
            {
                Name = file.Name,
                Kind = file.Kind,
                Timeline = file.Timeline,
                Status = WalPushStatus.StoredAhead,
                Size = new FileInfo(_path).Length,
                StoredSize = storedSize,
                Duration = Stopwatch.GetElapsedTime(start),
                Repository = _repository.Location,
                Key = key,
            };
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            _log.Verbose($"What was stored ahead cannot be read: {error.Message}");
            return null;
        }
    }

    private List<string> Waiting()
    {
        string walFolder = Path.GetDirectoryName(_path)!;
        string name = Path.GetFileName(_path);
        try
        {
            IReadOnlyList<string> ready = ReadyFiles.In(walFolder);
            // A file that the server does not wait for is pushed by hand, and alone.
            if (!ready.Contains(name))
                return [];
            _receipts!.Forget(ready.ToHashSet(StringComparer.Ordinal));
            return [.. ready.Where(other => other != name).Select(other => Path.Combine(walFolder, other)).Where(other => _receipts.Find(other) is null).Take(_most)];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            _log.Verbose($"Nothing is stored ahead: {error.Message}");
            return [];
        }
    }

    private async Task WorkAsync(Queue<string> ahead, long start, CancellationToken cancellationToken)
    {
        if (!await IsAdmittedAsync(cancellationToken).ConfigureAwait(false))
            return;
        while (!cancellationToken.IsCancellationRequested && Stopwatch.GetElapsedTime(start) < s_patience)
        {
            string? next;
            lock (ahead)
            {
                if (!ahead.TryDequeue(out next))
                    return;
            }
            if (!await TryStoreAsync(next, cancellationToken).ConfigureAwait(false))
            {
                lock (ahead)
                    ahead.Clear();
            }
        }
    }

    // The file that was asked for says whose a new repository is, never one that happens to wait beside it.
    private async Task<bool> IsAdmittedAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await _push.AdmitAsync(_path, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (error is PgBackupException or OperationCanceledException)
        {
            _log.Debug($"Nothing is stored ahead: {error.Message}"); // Told by the push of that file.
            return false;
        }
    }

    // A failure is no loss: the server asks for the file in its turn, and is told then.
    private async Task<bool> TryStoreAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            if (FileStamp.Of(path) is not { } stamp)
                return true;
            WalPushResult result = await _push.PushAsync(path, cancellationToken).ConfigureAwait(false);
            if (result.Status != WalPushStatus.HeldInPieces && FileStamp.Of(path) == stamp)
                _receipts!.Write(path, stamp, result.Key, result.StoredSize.Bytes);
            return true;
        }
        catch (Exception error)
        {
            // Of any kind: only the file that was asked for may fail the push.
            _log.Verbose($"{Path.GetFileName(path)} was not stored ahead: {error.Message}");
        }
        return false;
    }
}
