using PgBackup.Backup;
using PgBackup.Postgres.Server;
using PgBackup.Tests.Backup;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Restore;

namespace PgBackup.Tests.Versions;

/// <summary>A primary that archives into a repository, and a standby that backups are taken from.</summary>
internal sealed class ReplicatedLab : IAsyncDisposable
{
    private ReplicatedLab(RestoreLab lab, PostgresCluster standby)
    {
        Lab = lab;
        Standby = standby;
    }

    public RestoreLab Lab { get; }

    public PostgresCluster Primary => Lab.Cluster;

    public PostgresCluster Standby { get; }

    public RecordingLog Log { get; } = new();

    public static async Task<ReplicatedLab> StartAsync(int major)
    {
        var settings = new Dictionary<string, string> { ["wal_keep_size"] = "512MB", ["max_wal_size"] = "1GB" };
        if (major >= 17)
            settings["summarize_wal"] = "on";
        RestoreLab lab = await RestoreLab.StartAsync(new PostgresClusterOptions
        {
            Tools = PostgresTools.OfMajor(major),
            Settings = settings,
        });
        try
        {
            await lab.Cluster.ExecuteAsync("CREATE TABLE account (id int PRIMARY KEY, balance int, note text); INSERT INTO account SELECT g, g, repeat('x', 100) FROM generate_series(1, 20000) g");
            return new ReplicatedLab(lab, await lab.Cluster.RunStandbyAsync());
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    /// <summary>The standby has come to where the primary is, and its next restartpoint will be of there.</summary>
    public async Task CheckpointAsync()
    {
        await Primary.ExecuteAsync("CHECKPOINT");
        await CatchUpAsync();
    }

    public async Task CatchUpAsync() => await Standby.WaitForReplayAsync(await Primary.WalEndAsync());

    public BackupOptions Options => new()
    {
        Server = new ServerConnectionSettings { ConnectionString = Standby.ConnectionString },
        ArchiveTimeout = TimeSpan.FromSeconds(60),
    };

    /// <summary>
    /// Backs up the standby. <paramref name="onPhase"/> is run, once, when the backup first reports that phase; it goes on when that has ended. For its WAL the log of the primary
    /// is switched when it is waited for.
    /// </summary>
    public async Task<BackupResult> BackUpAsync(BackupOptions? options = null, string? phase = null, Func<Task>? onPhase = null, bool switches = true)
    {
        var progress = new Interruption();
        if (onPhase is not null)
            progress.On(phase!, onPhase);
        if (switches)
            progress.On("Waiting for WAL segment", () => Primary.ExecuteAsync("SELECT pg_switch_wal()"));
        await using ClusterBackupJob job = await ClusterBackupJob.PrepareAsync(Lab.Repository, options ?? Options, Log, progress);
        return await job.RunAsync();
    }

    /// <summary>Nothing was published, and no session is left.</summary>
    public async Task AssertNothingLeftAsync(int backups = 0)
    {
        string folder = Path.Combine(Lab.RepositoryPath, "basebackups_005");
        Assert.Equal(backups, Directory.Exists(folder) ? Directory.GetFileSystemEntries(folder, "*_backup_stop_sentinel.json").Length : 0);
        Assert.Equal(backups, Directory.Exists(folder) ? Directory.GetDirectories(folder).Length : 0);
        for (int attempt = 0; await Standby.ScalarAsync<long>("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'PgBackup'") > 0; attempt++)
        {
            Assert.True(attempt < 50, "A session is left open.");
            await Task.Delay(100);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Standby.DisposeAsync();
        await Lab.DisposeAsync();
    }

    /// <summary>Holds up whoever reports a phase for the first time while something happens.</summary>
    private sealed class Interruption : IProgress<OperationProgress>
    {
        private readonly Lock _lock = new();
        private readonly List<(string Phase, Func<Task> Action)> _waiting = [];

        public void On(string phase, Func<Task> action) => _waiting.Add((phase, action));

        public void Report(OperationProgress value)
        {
            lock (_lock)
            {
                int found = _waiting.FindIndex(w => value.Phase.StartsWith(w.Phase, StringComparison.Ordinal));
                if (found < 0)
                    return;
                Func<Task> action = _waiting[found].Action;
                _waiting.RemoveAt(found);
                Task.Run(action).GetAwaiter().GetResult();
            }
        }
    }
}
