using System.Collections.Concurrent;
using System.Diagnostics;
using PgBackup.Backup;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Postgres.Server;
using PgBackup.Repository;
using PgBackup.Repository.Pieces;
using PgBackup.Restore;
using PgBackup.Restore.Planning;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Wal.Fetch;
using PgBackup.Wal.Receiving;

namespace PgBackup.Tests.Wal.Receiving;

/// <summary>A server without archive_command, a repository, and receivers between them.</summary>
internal sealed class ReceiveLab : IAsyncDisposable
{
    public const string Slot = "pgbackup";

    private readonly TempFolder _folder = new();
    private RunningReceiver? _latest;

    public PostgresCluster Cluster { get; private set; } = null!;

    public BackupRepository Repository { get; set; } = null!;

    public TempFolder Folder => _folder;

    /// <summary>Counted up by tests that go around.</summary>
    public int Round { get; set; }

    public string RepositoryPath => _folder.Combine("repo");

    public static async Task<ReceiveLab> StartAsync(PostgresClusterOptions? options = null, string? hexKey = null)
    {
        var lab = new ReceiveLab();
        ServerAccount.Current.Own(lab._folder.Path);
        Directory.CreateDirectory(lab.RepositoryPath);
        EncryptionKey? key = hexKey is null ? null : EncryptionKey.FromSettings(hexKey, KeyTransform.Hex);
        lab.Repository = new BackupRepository(new DirectoryStore(lab.RepositoryPath), key);
        lab.Cluster = await PostgresCluster.RunAsync(options ?? SmallSegments());
        await lab.Cluster.ExecuteAsync("CREATE TABLE t (id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(), v text)");
        return lab;
    }

    public static PostgresClusterOptions SmallSegments(int major = 0, int megabytes = 1) => new()
    {
        Tools = major == 0 ? PostgresTools.Complete : PostgresTools.OfMajor(major),
        WalSegmentMegabytes = megabytes,
        Settings = new Dictionary<string, string> { ["autovacuum"] = "off", ["wal_sender_timeout"] = "5s", ["max_wal_size"] = "64MB", ["min_wal_size"] = $"{2 * megabytes}MB" },
    };

    public static ServerConnectionSettings SettingsFor(string connectionString) => new() { ConnectionString = connectionString };

    public WalReceiveOptions Options(string? connectionString = null) => new()
    {
        Server = SettingsFor(connectionString ?? Cluster.ConnectionString),
        Slot = Slot,
        CreateSlot = true,
        MaxLag = TimeSpan.FromSeconds(1),
    };

    public RunningReceiver Receive(WalReceiveOptions? options = null, BackupRepository? repository = null) =>
        _latest = new(repository ?? Repository, options ?? Options());

    public Task WriteAsync(int rows = 1, int size = 100, PostgresCluster? cluster = null) =>
        (cluster ?? Cluster).ExecuteAsync($"INSERT INTO t (v) SELECT repeat(md5(i::text), {size} / 32 + 1) FROM generate_series(1, {rows}) i");

    /// <summary>Waits until the slot says that everything written by now is durable in the repository.</summary>
    public async Task CaughtUpAsync(PostgresCluster? cluster = null, double seconds = 60)
    {
        cluster ??= Cluster;
        string end = await cluster.WalEndAsync();
        var clock = Stopwatch.StartNew();
        while (!await cluster.ScalarAsync<bool>($"SELECT coalesce((SELECT restart_lsn >= '{end}' FROM pg_replication_slots WHERE slot_name = '{Slot}'), false)"))
        {
            if (clock.Elapsed.TotalSeconds > seconds)
            {
                string state = await cluster.ScalarAsync<string>(
                    $"SELECT concat((SELECT string_agg(r::text, ' ') FROM pg_stat_replication r), (SELECT s::text FROM pg_replication_slots s WHERE slot_name = '{Slot}'), pg_current_wal_flush_lsn())") + $"\n{_latest}";
                Assert.Fail($"What was written up to {end} is not durable after {seconds} s: {state}\n{string.Join('\n', (await PiecesAsync()).Select(p => p.ToString()))}");
            }
            await Task.Delay(20);
        }
    }

    /// <summary>Proves that what the repository gives out of the log from a segment on is what the server has; returns how many whole segments there were.</summary>
    public async Task<int> AssertEqualsServerAsync(PostgresCluster? cluster = null)
    {
        cluster ??= Cluster;
        int whole = 0;
        foreach (string name in Directory.GetFiles(Path.Combine(RepositoryPath, "wal_005")).Select(p => Path.GetFileNameWithoutExtension(p)).Where(n => n.Length == 24))
        {
            string own = Path.Combine(cluster.DataDirectory, "pg_wal", name);
            if (!File.Exists(own))
                continue;
            await WalFetch.FetchAsync(Repository, name, _folder.Combine("fetched"));
            Assert.True(File.ReadAllBytes(own).AsSpan().SequenceEqual(File.ReadAllBytes(_folder.Combine("fetched"))), name);
            whole++;
        }
        return whole;
    }

    public async Task<List<WalPiece>> PiecesAsync()
    {
        var found = new List<WalPiece>();
        await foreach (WalPiece piece in WalPieces.ListAsync(Repository))
            found.Add(piece);
        return found;
    }

    public async Task<BackupResult> BackupAsync(PostgresCluster? cluster = null)
    {
        string connection = (cluster ?? Cluster).ConnectionString;
        var options = new BackupOptions { Server = SettingsFor(connection), ArchiveTimeout = TimeSpan.FromSeconds(60) };
        await using ClusterBackupJob job = await ClusterBackupJob.PrepareAsync(Repository, options);
        return await job.RunAsync();
    }

    /// <summary>Restores what the repository alone has, to its last point, and starts it; asks a question and stops it.</summary>
    public async Task<string> AskRestoredAsync(string sql, RestoreTarget? target = null, TimelineId? timeline = null)
    {
        await using var command = new RestoreService(Repository);
        string destination = _folder.Combine($"restored-{Guid.NewGuid():N}");
        var options = new RestoreOptions
        {
            Request = new RestoreRequest { Target = target ?? RestoreTarget.Latest, Timeline = timeline, RestoreCommand = command.Text, DataDirectory = destination },
            Start = true,
        };
        PointInTimeRestore restore = await PointInTimeRestore.PrepareAsync(Repository, options);
        try
        {
            RestoreResult result = await restore.RunAsync();
            return await Restore.RestoreLab.QueryAsync(result, sql);
        }
        finally
        {
            if (File.Exists(Path.Combine(destination, "postmaster.pid")))
                await ServerAccount.Current.RunAsync(Cluster.Tools.Tool("pg_ctl"), ["stop", "-D", destination, "-m", "immediate", "-w"]);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Cluster is not null)
            await Cluster.DisposeAsync();
        _folder.Dispose();
    }
}

/// <summary>A receiver at work.</summary>
internal sealed class RunningReceiver : IAsyncDisposable, IOperationLog
{
    private readonly CancellationTokenSource _stop = new();

    public RunningReceiver(BackupRepository repository, WalReceiveOptions options) =>
        Task = Task.Run(() => WalReceiver.RunAsync(repository, options, Received.Enqueue, this, null, _stop.Token));

    public Task Task { get; }

    public ConcurrentQueue<ReceivedWal> Received { get; } = new();

    public ConcurrentQueue<string> Lines { get; } = new();

    public void Write(LogLevel level, string message) => Lines.Enqueue($"{level}: {message}");

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await Task.WaitAsync(TimeSpan.FromSeconds(60));
    }

    public async Task<PgBackupException> FailureAsync() => await Assert.ThrowsAsync<PgBackupException>(() => Task.WaitAsync(TimeSpan.FromSeconds(60)));

    public async Task SaidAsync(string part, double seconds = 30)
    {
        var clock = Stopwatch.StartNew();
        while (!Lines.Any(line => line.Contains(part, StringComparison.Ordinal)))
        {
            Assert.True(clock.Elapsed.TotalSeconds < seconds && !Task.IsFaulted, $"It did not say '{part}':\n{string.Join('\n', Lines)}\n{Task.Exception}");
            await System.Threading.Tasks.Task.Delay(20);
        }
    }

    public override string ToString() => $"The receiver has {(Task.IsCompleted ? "ended" : "not ended")}. {Task.Exception}\n{string.Join('\n', Lines)}";

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }
}
