using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Wal.Push;

/// <summary>
/// Admits each cluster once, whoever asks: everybody else waits for the first, because that one may make the repository's own records. It is nobody's own: who stops waiting stops it only
/// when nobody else waits, and one that failed is tried anew by the next who asks.
/// </summary>
/// <param name="repository">Where to.</param>
internal sealed class SharedAdmission(BackupRepository repository)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, Attempt> _attempts = [];

    /// <summary>Returns when the cluster is admitted. Throws what <see cref="RepositoryAdmission.RequireAsync"/> throws.</summary>
    /// <param name="cluster">The cluster; null for a file that does not tell it.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public async Task RequireAsync(ClusterIdentity? cluster, CancellationToken cancellationToken)
    {
        ulong identifier = cluster?.SystemIdentifier ?? 0;
        Attempt? attempt;
        lock (_lock)
        {
            if (!_attempts.TryGetValue(identifier, out attempt) || attempt.IsVain)
                _attempts[identifier] = attempt = new Attempt(stop => RepositoryAdmission.RequireAsync(repository, cluster, newLineage: false, stop));
            attempt.Waiting++;
        }
        try
        {
            await attempt.Running.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            bool isLast;
            lock (_lock)
                isLast = attempt.Leave();
            if (isLast)
                await attempt.StopAsync().ConfigureAwait(false);
        }
    }

    /// <summary>One attempt, and how many wait for it.</summary>
    private sealed class Attempt
    {
        private readonly CancellationTokenSource _stop = new();
        private bool _isAbandoned;

        public Attempt(Func<CancellationToken, Task> require) => Running = Task.Run(() => require(_stop.Token), CancellationToken.None);

        public Task Running { get; }

        public int Waiting { get; set; }

        /// <summary>True when nobody should wait for it any more.</summary>
        public bool IsVain => _isAbandoned || (Running.IsCompleted && !Running.IsCompletedSuccessfully);

        /// <summary>One waits no longer; true when that was the last, and it is to be stopped.</summary>
        public bool Leave() => --Waiting == 0 && !Running.IsCompleted && (_isAbandoned = true);

        public async Task StopAsync()
        {
            await _stop.CancelAsync().ConfigureAwait(false);
            await Running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
