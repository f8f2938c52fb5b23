using PgBackup.Postgres.Server;
using PgBackup.Repository;
using PgBackup.Tests.Kit;
using PgBackup.Wal.Status;

namespace PgBackup.Tests.Wal.Status;

/// <summary>A server that archives by a plain copy into a repository, uncompressed as the repository may have it, and a watchman.</summary>
internal sealed class WatchedServer : IAsyncDisposable
{
    private readonly string _folder;

    private WatchedServer(PostgresCluster cluster)
    {
        Cluster = cluster;
        _folder = Path.Combine(cluster.Folder, "repo");
        ServerAccount.Current.CreateFolder(_folder, TempFolder.Traversable);
        ServerAccount.Current.CreateFolder(Archive, TempFolder.Traversable);
        Repository = WalSamples.Repository(_folder);
    }

    public PostgresCluster Cluster { get; }

    public BackupRepository Repository { get; }

    public string Archive => Path.Combine(_folder, "wal_005");

    public string CopyCommand => $"cp %p '{Archive}/.%f' && mv '{Archive}/.%f' '{Archive}/%f'";

    /// <summary>Starts it. <paramref name="command"/> null: the copy.</summary>
    public static async Task<WatchedServer> StartAsync(string? command = null, int? major = null, params (string Name, string Value)[] settings)
    {
        var all = new Dictionary<string, string> { ["archive_mode"] = "on", ["archive_timeout"] = "60" };
        foreach ((string name, string value) in settings)
            all[name] = value;
        PostgresCluster cluster = await PostgresCluster.CreateAsync(new PostgresClusterOptions
        {
            Settings = all, Tools = major is { } version ? PostgresTools.OfMajor(version) : PostgresTools.Complete, FreshIdentity = true,
        });
        var watched = new WatchedServer(cluster);
        File.AppendAllText(Path.Combine(cluster.ConfigurationDirectory, "postgresql.conf"), $"archive_command = '{(command ?? watched.CopyCommand).Replace("'", "''", StringComparison.Ordinal)}'\n");
        await cluster.StartAsync();
        return watched;
    }

    public async Task SetCommandAsync(string command)
    {
        await Cluster.ExecuteAsync($"ALTER SYSTEM SET archive_command = '{command.Replace("'", "''", StringComparison.Ordinal)}'");
        await Cluster.ExecuteAsync("SELECT pg_reload_conf()");
    }

    /// <summary>Fills a segment with something and finishes it.</summary>
    public async Task SwitchAsync(int times = 1)
    {
        for (int i = 0; i < times; i++)
            await Cluster.ExecuteAsync("SELECT pg_logical_emit_message(true, 'test', repeat('x', 1000)); SELECT pg_switch_wal()");
    }

    public async Task<WalArchiveStatus> LookAsync(WalArchiveStatusOptions? options = null, string? role = null, BackupRepository? repository = null, PostgresCluster? cluster = null)
    {
        var settings = new ServerConnectionSettings { ConnectionString = (cluster ?? Cluster).ConnectionString, UserName = role };
        await using ServerSession session = await ServerSession.OpenAsync(settings);
        return await WalArchiveStatusReader.ReadAsync(session, repository ?? Repository, options ?? new WalArchiveStatusOptions { Interval = TimeSpan.Zero });
    }

    public async Task<WalArchiveStatus> WaitAsync(Func<WalArchiveStatus, bool> until)
    {
        for (int i = 0; ; i++)
        {
            WalArchiveStatus status = await LookAsync();
            if (until(status))
                return status;
            Assert.True(i < 600, $"After a minute: {status.Status}, archived {status.ArchivedCount}, failed {status.FailedCount}, ready {status.ReadyCount}: {string.Join(" ", status.Reasons)}");
            await Task.Delay(100);
        }
    }

    public ValueTask DisposeAsync() => Cluster.DisposeAsync();
}
