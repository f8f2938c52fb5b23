using System.Diagnostics;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Repository;
using PgBackup.Wal.Spool;

namespace PgBackup.Wal.Fetch;

/// <summary>
/// Fetches the segments behind the one that the server asked for last into the spool, for as long as the server goes on asking. Bounded in number, bytes and time.
/// </summary>
public sealed class WalPrefetcher
{
    private const long MostBytes = 512L << 20;
    private const int FilesAtOnce = 3;

    // A server that replays asks many times a second; one that waits for new WAL does not.
    private static readonly TimeSpan s_glance = TimeSpan.FromMilliseconds(5), s_slowGlance = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_quiet = TimeSpan.FromSeconds(2);

    /// <summary>So long nobody has to ask until it ends; a segment whose replay takes longer is fetched directly.</summary>
    private static readonly TimeSpan s_idle = TimeSpan.FromSeconds(60);

    // Not synced, where it can be told that what is in the spool was left by an earlier run of the operating system: that is not believed.
    private readonly WalFileWriter _writer;
    private readonly FetchSpool _spool;
    private readonly int _most;
    private readonly TimeSpan _idle;
    private readonly IOperationLog _log;
    private readonly Dictionary<WalSegmentName, Task<bool>> _running = [];

    private WalPrefetcher(BackupRepository repository, FetchSpool spool, int most, TimeSpan idle, IOperationLog log)
    {
        _writer = new WalFileWriter(repository, isDurable: BootIdentity.Current() is null);
        _spool = spool;
        _most = most;
        _idle = idle;
        _log = log;
    }

    /// <summary>Works until nobody asks any more, then removes what it fetched for nobody. Returns at once when another process does it already, or where there is no spool.</summary>
    /// <param name="settings">Where from.</param>
    /// <param name="walFolder">The server's pg_wal.</param>
    /// <param name="log">Where to say what is done.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static Task RunAsync(RepositorySettings settings, string walFolder, IOperationLog? log = null, CancellationToken cancellationToken = default) =>
        RunAsync(settings, walFolder, s_idle, log, cancellationToken);

    internal static async Task RunAsync(RepositorySettings settings, string walFolder, TimeSpan idle, IOperationLog? log, CancellationToken cancellationToken)
    {
        log ??= OperationLog.None;
        if (WalSpool.TryOpen(settings, walFolder, log) is not { } folder)
            return;
        var spool = new FetchSpool(folder);
        using IDisposable? only = spool.TryLock();
        if (only is not null)
            await new WalPrefetcher(BackupRepository.Open(settings), spool, settings.Wal.Prefetch, idle, log).RunAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            AskedSegment? before = null;
            List<WalSegmentName> window = [];
            var quiet = Stopwatch.StartNew();
            bool isAtEnd = false;
            while (quiet.Elapsed < _idle)
            {
                if (_spool.Asked() is { } asked && asked != before)
                {
                    (before, isAtEnd) = (asked, false);
                    quiet.Restart();
                    window = WindowOf(asked);
                    _spool.Keep([asked.Segment, .. window, .. _running.Keys]);
                }
                isAtEnd |= await CollectAsync().ConfigureAwait(false);
                if (!isAtEnd)
                    Start(window, stop.Token);
                await Task.Delay(quiet.Elapsed < s_quiet ? s_glance : s_slowGlance, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await ((Task)Task.WhenAll(_running.Values)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _spool.Keep([]);
        }
    }

    private List<WalSegmentName> WindowOf(AskedSegment asked)
    {
        int count = (int)Math.Min(_most, Math.Max(1, MostBytes / asked.Size.Bytes));
        var window = new List<WalSegmentName>(count);
        for (WalSegmentName next = asked.Segment.NextFor(asked.Size); window.Count < count; next = next.NextFor(asked.Size))
            window.Add(next);
        return window;
    }

    private void Start(List<WalSegmentName> window, CancellationToken cancellationToken)
    {
        foreach (WalSegmentName segment in window)
        {
            if (_running.Count == FilesAtOnce)
                return;
            if (!_running.ContainsKey(segment) && !_spool.Has(segment))
                _running.Add(segment, Task.Run(() => TryFetchAsync(segment, cancellationToken), CancellationToken.None));
        }
    }

    /// <summary>Takes note of what has ended; true when a segment could not be had: then those behind it are not tried before the server asks for more.</summary>
    private async Task<bool> CollectAsync()
    {
        bool failed = false;
        foreach (WalSegmentName segment in _running.Where(static running => running.Value.IsCompleted).Select(static running => running.Key).ToArray())
        {
            failed |= !await _running[segment].ConfigureAwait(false);
            _running.Remove(segment);
        }
        return failed;
    }

    // The server asks for what is not here itself, and is told then why it cannot be had.
    private async Task<bool> TryFetchAsync(WalSegmentName segment, CancellationToken cancellationToken)
    {
        try
        {
            await WalFetch.FetchAheadAsync(_writer, segment.ToString(), _spool.PathOf(segment), _log, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (PgBackupException error)
        {
            _log.Verbose($"{segment} was not fetched ahead: {error.Message}");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            _log.Verbose($"{segment} cannot be kept in the spool: {error.Message}");
        }
        catch (OperationCanceledException)
        {
            _log.Debug($"{segment} was not fetched ahead: stopped.");
        }
        return false;
    }
}
