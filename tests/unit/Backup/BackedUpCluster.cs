using PgBackup.Backup;
using PgBackup.Codecs;
using PgBackup.Postgres.Server;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Backup;

/// <summary>A running cluster that archives, by plain cp, into a repository that backups go into.</summary>
internal sealed class BackedUpCluster : IAsyncDisposable
{
    private readonly TempFolder _folder;

    private BackedUpCluster(PostgresCluster cluster, TempFolder folder, string repositoryPath)
    {
        Cluster = cluster;
        _folder = folder;
        RepositoryPath = repositoryPath;
        Repository = new BackupRepository(new DirectoryStore(repositoryPath), null);
    }

    public PostgresCluster Cluster { get; }

    public string RepositoryPath { get; }

    public BackupRepository Repository { get; init; }

    public static async Task<BackedUpCluster> RunAsync(PostgresClusterOptions? options = null, EncryptionKey? key = null, CompressionMethod compression = CompressionMethod.Zstd)
    {
        var folder = new TempFolder();
        string repository = ServerAccount.Current.CreateFolder(folder.Combine("repository"));
        ServerAccount.Current.CreateFolder(Path.Combine(repository, "wal_005"));
        // What plain cp archives is not encrypted: recorded first, so that it is not taken for the repository's way.
        if (key is not null)
            await RepositoryEncryption.RecordAsync(new BackupRepository(new DirectoryStore(repository), key));
        options ??= new PostgresClusterOptions();
        var settings = new Dictionary<string, string>(options.Settings)
        {
            ["archive_mode"] = "on",
            ["archive_command"] = $"cp %p {repository}/wal_005/%f",
            ["wal_level"] = "replica",
        };
        PostgresCluster cluster = await PostgresCluster.RunAsync(options with { Settings = settings });
        return new BackedUpCluster(cluster, folder, repository)
        {
            Repository = new BackupRepository(new DirectoryStore(repository), key, compression),
        };
    }

    public BackupOptions Options => new()
    {
        Server = new ServerConnectionSettings { ConnectionString = Cluster.ConnectionString },
        ArchiveTimeout = TimeSpan.FromSeconds(30),
    };

    public async Task<BackupResult> BackUpAsync(BackupOptions? options = null, IOperationLog? log = null, CancellationToken cancellationToken = default)
    {
        await using ClusterBackupJob job = await ClusterBackupJob.PrepareAsync(Repository, options ?? Options, log, cancellationToken: cancellationToken);
        return await job.RunAsync(cancellationToken);
    }

    /// <summary>No session of a backup is left in the server, once it has noticed that ours are closed.</summary>
    public async Task AssertNoSessionAsync()
    {
        for (int attempt = 0; ; attempt++)
        {
            long sessions = await Cluster.ScalarAsync<long>("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'PgBackup'");
            if (sessions == 0)
                return;
            Assert.True(attempt < 50, $"{sessions} sessions are left open");
            await Task.Delay(100);
        }
    }

    /// <summary>Waits until the server has archived all that it has finished.</summary>
    public async Task WaitForArchiveAsync()
    {
        while (await Cluster.ScalarAsync<bool>("SELECT EXISTS (SELECT FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready')"))
            await Task.Delay(50);
    }

    /// <summary>Nothing of an unfinished backup is left, here or in the server.</summary>
    public async Task AssertNothingListedAsync()
    {
        string backups = Path.Combine(RepositoryPath, "basebackups_005");
        Assert.True(!Directory.Exists(backups) || !Directory.EnumerateFiles(backups, "*", SearchOption.AllDirectories).Any());
        Assert.False(File.Exists(Path.Combine(RepositoryPath, "pgbackup_v1", "in_progress.json")));
        await AssertNoSessionAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Cluster.DisposeAsync();
        _folder.Dispose();
    }
}

/// <summary>Keeps what an operation says.</summary>
internal sealed class RecordingLog : IOperationLog
{
    private readonly Lock _lock = new();
    private readonly List<(LogLevel Level, string Message)> _lines = [];

    public IReadOnlyList<string> Of(LogLevel level)
    {
        lock (_lock)
            return [.. _lines.Where(l => l.Level == level).Select(l => l.Message)];
    }

    public void Write(LogLevel level, string message)
    {
        lock (_lock)
            _lines.Add((level, message));
    }
}
