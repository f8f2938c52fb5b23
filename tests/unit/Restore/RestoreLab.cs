using Npgsql;
using PgBackup.Backup;
using PgBackup.Postgres.Server;
using PgBackup.Repository;
using PgBackup.Restore;
using PgBackup.Restore.Planning;
using PgBackup.Storage;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Restore;

/// <summary>A cluster that archives into a repository, and places to restore it to. The archive is plain files, which the servers copy by themselves.</summary>
internal sealed class RestoreLab : IAsyncDisposable
{
    private readonly TempFolder _folder = new();
    private readonly List<string> _started = [];

    private RestoreLab()
    {
        ServerAccount.Current.Own(_folder.Path);
        ServerAccount.Current.CreateFolder(_folder.Combine("repo"), TempFolder.Traversable);
        ServerAccount.Current.CreateFolder(WalFolder, TempFolder.Traversable);
        Repository = new BackupRepository(new DirectoryStore(_folder.Combine("repo")), null);
    }

    public PostgresCluster Cluster { get; private set; } = null!;

    public BackupRepository Repository { get; set; }

    private PostgresTools Tools => Cluster?.Tools ?? PostgresTools.Complete;

    public TempFolder Folder => _folder;

    public string RepositoryPath => _folder.Combine("repo");

    public string WalFolder => _folder.Combine("repo", "wal_005");

    public string RestoreCommand { get; set; } = "";

    public static async Task<RestoreLab> StartAsync(PostgresClusterOptions? options = null, WalSegmentName? firstSegment = null)
    {
        var lab = new RestoreLab();
        lab.RestoreCommand = $"cp '{lab.WalFolder}/%f' '%p'";
        lab.Cluster = await lab.RunClusterAsync(options ?? new PostgresClusterOptions(), firstSegment);
        return lab;
    }

    /// <summary>Runs a cluster that archives into the repository, and has a table; its log begins with <paramref name="firstSegment"/> when given.</summary>
    public async Task<PostgresCluster> RunClusterAsync(PostgresClusterOptions options, WalSegmentName? firstSegment = null)
    {
        var settings = new Dictionary<string, string>(options.Settings)
        {
            ["archive_mode"] = "on",
            ["archive_command"] = ArchiveCommand,
            ["autovacuum"] = "off", // Its transactions would come between those that a test counts.
        };
        PostgresCluster cluster = await PostgresCluster.CreateAsync(options with { Settings = settings });
        try
        {
            if (firstSegment is { } segment)
                (await ServerAccount.Current.RunAsync(cluster.Tools.Tool("pg_resetwal"), ["-l", segment.ToString(), "-D", cluster.DataDirectory])).EnsureSuccess();
            await cluster.StartAsync();
            await cluster.ExecuteAsync("CREATE TABLE t (v text)");
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    public string ArchiveCommand => $"cp '%p' '{WalFolder}/.%f' && mv '{WalFolder}/.%f' '{WalFolder}/%f'";

    public Task<BackupResult> BackupAsync(BackupTypeRequest type = BackupTypeRequest.Full) => BackupAsync(Cluster.ConnectionString, type: type);

    /// <summary>Backs up another server than the lab's own into the same repository.</summary>
    public async Task<BackupResult> BackupAsync(string connectionString, bool newLineage = false, BackupTypeRequest type = BackupTypeRequest.Full)
    {
        var options = new BackupOptions
        {
            Server = new ServerConnectionSettings { ConnectionString = connectionString },
            NewLineage = newLineage,
            Type = type,
            DeltaMaxSteps = 7,
        };
        await using ClusterBackupJob job = await ClusterBackupJob.PrepareAsync(Repository, options);
        return await job.RunAsync();
    }

    /// <summary>Inserts a row and returns the server's time right after its commit.</summary>
    public async Task<DateTimeOffset> InsertAsync(string value)
    {
        await Cluster.ExecuteAsync($"INSERT INTO t VALUES ('{value}')");
        DateTime now = await Cluster.ScalarAsync<DateTime>("SELECT clock_timestamp()");
        await Task.Delay(20);
        return new DateTimeOffset(now);
    }

    public async Task<Lsn> LsnAsync() => Lsn.Parse(await Cluster.ScalarAsync<string>("SELECT pg_current_wal_insert_lsn()::text"));

    /// <summary>Ends the segment and waits until it is archived.</summary>
    public async Task ArchiveAsync() => await WaitForArchiveAsync(await Cluster.ScalarAsync<string>(SwitchOf(Cluster)));

    /// <summary>The same of a server that was restored.</summary>
    public async Task ArchiveAsync(RestoreResult server) => await WaitForArchiveAsync(await QueryAsync(server, SwitchOf(Cluster)));

    /// <summary>The statement that ends the segment and says which one that was; when nothing was written since the last switch, the one before.</summary>
    public static string SwitchOf(PostgresCluster cluster) =>
        cluster.Tools.Major >= 14 ? "SELECT pg_walfile_name(pg_switch_wal() - 1)" : "SELECT pg_walfile_name(pg_switch_wal())";

    public async Task WaitForArchiveAsync(string segment)
    {
        for (int i = 0; !File.Exists(Path.Combine(WalFolder, segment)); i++)
        {
            Assert.True(i < 600, $"{segment} was not archived.");
            await Task.Delay(50);
        }
    }

    public string NewDestination(string name = "restored") => _folder.Combine(name);

    public RestoreRequest Request(RestoreTarget target, string? destination = null) => new()
    {
        Target = target,
        RestoreCommand = RestoreCommand,
        DataDirectory = destination ?? NewDestination(),
    };

    public Task<RestorePlan> PlanAsync(RestoreTarget target) => RestorePlanner.PlanAsync(Repository, Request(target) with { DataDirectory = null });

    public Task<RestoreResult> RestoreAsync(RestoreTarget target, string? destination = null) =>
        RestoreAsync(new RestoreOptions { Request = Request(target, destination), Start = true });

    public async Task<RestoreResult> RestoreAsync(RestoreOptions options)
    {
        PointInTimeRestore restore = await PointInTimeRestore.PrepareAsync(Repository, options);
        _started.Add(options.Request.DataDirectory!);
        return await restore.RunAsync();
    }

    /// <summary>The rows of the restored server, one string.</summary>
    public static Task<string> RowsAsync(RestoreResult result) => QueryAsync(result, "SELECT coalesce(string_agg(v, ',' ORDER BY v), '') FROM t");

    public static string ConnectionStringOf(RestoreResult result) => $"Host=127.0.0.1;Port={result.Port};Username=postgres;Database=postgres;Pooling=false";

    public static async Task<string> QueryAsync(RestoreResult result, string sql)
    {
        await using NpgsqlConnection connection = new(ConnectionStringOf(result));
        await connection.OpenAsync();
        await using NpgsqlCommand command = new(sql, connection);
        return (await command.ExecuteScalarAsync())?.ToString() ?? "";
    }

    public async Task StopAsync(string dataDirectory) =>
        await ServerAccount.Current.RunAsync(Tools.Tool("pg_ctl"), ["stop", "-D", dataDirectory, "-m", "immediate", "-w"]);

    /// <summary>Starts a restored server as its administrator would: pg_ctl, nothing else.</summary>
    public async Task StartByHandAsync(RestoreResult result)
    {
        string log = Path.Combine(result.DataDirectory, "by-hand.log");
        ToolResult started = await ServerAccount.Current.RunAsync(Tools.Tool("pg_ctl"), ["start", "-w", "-t", "60", "-D", result.DataDirectory, "-l", log]);
        Assert.True(started.ExitCode == 0, $"{started.Output}{started.Error}{(File.Exists(log) ? await File.ReadAllTextAsync(log) : "")}");
    }

    /// <summary>A lab without a cluster: for repositories that come from elsewhere.</summary>
    public static RestoreLab Without(BackupRepository repository) => new() { Repository = repository };

    /// <summary>Puts the archive of the repository, decoded, where a copy command finds it.</summary>
    public async Task DecodeWalAsync()
    {
        string folder = ServerAccount.Current.CreateFolder(_folder.Combine("plain-wal"), TempFolder.Traversable);
        await foreach (ArchivedWalFile file in WalArchive.ListAsync(Repository))
        {
            await using Stream source = await Repository.OpenDecodedAsync(file.Object.Key);
            await using FileStream target = File.Create(Path.Combine(folder, file.File.Name));
            await source.CopyToAsync(target);
        }
        RestoreCommand = $"cp '{folder}/%f' '%p'";
    }

    public async ValueTask DisposeAsync()
    {
        foreach (string dataDirectory in _started.Where(d => File.Exists(Path.Combine(d, "postmaster.pid"))))
            await StopAsync(dataDirectory);
        if (Cluster is not null)
            await Cluster.DisposeAsync();
        _folder.Dispose();
    }
}
