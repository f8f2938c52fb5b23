using System.Diagnostics;
using PgBackup.Backup;
using PgBackup.Postgres.Server;
using PgBackup.Repository;
using PgBackup.Restore;
using PgBackup.Restore.Planning;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Restore;

namespace PgBackup.Tests.Backup.Remote;

/// <summary>A cluster with all kinds of files, whose backups are taken by a role that may do nothing but replicate.</summary>
internal sealed class RemoteLab : IAsyncDisposable
{
    private const string Load = """
        CREATE TABLE big AS SELECT g AS id, md5(g::text) AS v FROM generate_series(1, 60000) g;
        CREATE INDEX ON big (v);
        CREATE TABLE far TABLESPACE one AS SELECT g AS id, repeat('f', 300) AS v FROM generate_series(1, 9000) g;
        CREATE TABLE farther TABLESPACE two AS SELECT 1 AS id, 'x'::text AS v;
        CREATE UNLOGGED TABLE lost AS SELECT 1 AS id;
        """;

    private const string Content = """
        SELECT concat_ws('|', (SELECT md5(string_agg(id || v, ',' ORDER BY id)) FROM big), (SELECT md5(string_agg(id || v, ',' ORDER BY id)) FROM far),
            (SELECT string_agg(id || v, ',') FROM farther), (SELECT count(*) FROM lost))
        """;

    private RemoteLab(RestoreLab lab, string[] spaces)
    {
        Lab = lab;
        Spaces = spaces;
    }

    public RestoreLab Lab { get; }

    public PostgresCluster Cluster => Lab.Cluster;

    /// <summary>Where its two tablespaces are.</summary>
    public string[] Spaces { get; }

    public BackupOptions Options => new()
    {
        Server = new ServerConnectionSettings { HostName = "127.0.0.1", Port = Cluster.Port, UserName = "mirror" },
        Mode = BackupMode.Remote,
        ArchiveTimeout = TimeSpan.FromSeconds(30),
    };

    public static async Task<RemoteLab> StartAsync(int major = 15, IReadOnlyDictionary<string, string>? settings = null)
    {
        RestoreLab lab = await RestoreLab.StartAsync(new PostgresClusterOptions { Tools = PostgresTools.OfMajor(major), Settings = settings ?? new Dictionary<string, string>() });
        string[] spaces = [await lab.Cluster.CreateTablespaceAsync("one"), await lab.Cluster.CreateTablespaceAsync("two")];
        await lab.Cluster.ExecuteAsync(Load);
        await lab.Cluster.ExecuteAsync("CREATE ROLE mirror LOGIN REPLICATION");
        await lab.Cluster.ExecuteAsync("VACUUM; CHECKPOINT");
        return new RemoteLab(lab, spaces);
    }

    /// <summary>Puts files into the data directory that no server makes.</summary>
    public async Task AddOddFilesAsync()
    {
        string data = Cluster.DataDirectory;
        string folder = Path.Combine(data, "odd folder");
        Directory.CreateDirectory(Path.Combine(folder, "empty"));
        await File.WriteAllTextAsync(Path.Combine(folder, "ünï \"quoted\" \\ 'x'"), "odd");
        await File.WriteAllTextAsync(Path.Combine(folder, new string('n', 80)), "");
        await File.WriteAllBytesAsync(Path.Combine(folder, "huge"), new byte[(9 << 20) + 77]);
        await File.WriteAllTextAsync(Path.Combine(data, "standby.signal.old"), "kept");
        Directory.CreateDirectory(Path.Combine(data, "log"));
        await File.WriteAllTextAsync(Path.Combine(data, "log", "server.log"), "left out");
        await File.WriteAllTextAsync(Path.Combine(data, "pgsql_tmp_x"), "left out");
        ServerAccount.Current.Own(data);
        await ShellAsync("printf x > \"$0/$(printf 'bad\\377')\"", folder); // A name that is not UTF-8.
    }

    public async Task<BackupResult> BackUpAsync(BackupOptions? options = null, IOperationLog? log = null, CancellationToken cancellationToken = default)
    {
        await using ClusterBackupJob job = await ClusterBackupJob.PrepareAsync(Lab.Repository, options ?? Options, log, cancellationToken: cancellationToken);
        return await job.RunAsync(cancellationToken);
    }

    public Task<string> ContentAsync() => Cluster.ScalarAsync<string>(Content);

    /// <summary>Archives what there is, restores the latest state, and compares it with what the cluster holds; unlogged tables come back empty.</summary>
    public async Task CheckRestoreAsync()
    {
        string expected = await ContentAsync();
        await Lab.ArchiveAsync();
        string name = $"restored-{Guid.NewGuid():N}"[..16];
        string destination = Lab.NewDestination(name);
        RestoreResult result = await Lab.RestoreAsync(new RestoreOptions
        {
            Request = Lab.Request(RestoreTarget.Latest, destination) with
            {
                TablespaceMapping = new Dictionary<string, string> { [Spaces[0]] = Lab.NewDestination(name + "-one"), [Spaces[1]] = Lab.NewDestination(name + "-two") },
            },
            Start = true,
        });
        Assert.Equal(RestoreStatus.Promoted, result.Status);
        Assert.Equal(expected[..expected.LastIndexOf('|')] + "|0", await RestoreLab.QueryAsync(result, Content));
        Assert.Equal("0", await RestoreLab.QueryAsync(result, "SET enable_seqscan = off; SELECT count(*) FROM big WHERE v < ''"));
        await Lab.StopAsync(destination);
    }

    /// <summary>Nothing of an unfinished backup is left, here or in the server.</summary>
    public async Task AssertNothingLeftAsync()
    {
        string backups = Path.Combine(Lab.RepositoryPath, "basebackups_005");
        Assert.True(!Directory.Exists(backups) || !Directory.EnumerateFiles(backups, "*", SearchOption.AllDirectories).Any());
        Assert.False(File.Exists(Path.Combine(Lab.RepositoryPath, "pgbackup_v1", "in_progress.json")));
        for (int tries = 0; await Cluster.ScalarAsync<long>("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'PgBackup'") > 0; tries++)
        {
            Assert.True(tries < 100, "A session is left open.");
            await Task.Delay(100);
        }
    }

    public async ValueTask DisposeAsync()
    {
        // The framework cannot name what is not UTF-8.
        await ShellAsync("rm -rf \"$0\"", Path.Combine(Cluster.DataDirectory, "odd folder"));
        await Lab.DisposeAsync();
    }

    private static async Task ShellAsync(string script, string argument) =>
        (await ToolProcess.RunAsync(new ProcessStartInfo("sh", ["-c", script, argument]))).EnsureSuccess();
}
