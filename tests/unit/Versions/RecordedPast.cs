using PgBackup.Restore;
using PgBackup.Restore.Planning;
using PgBackup.Tests.Backup;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Restore;

namespace PgBackup.Tests.Versions;

/// <summary>A point of a cluster's past, and what its tables held then.</summary>
internal sealed record RecordedPoint(string Name, Lsn Lsn, string Content);

/// <summary>A cluster of some version that changes, is backed up, and remembers what it held at each point, so that every point can be compared with what is restored.</summary>
internal sealed class RecordedPast : IAsyncDisposable
{
    // Heap, index, TOAST, a sequence, and a relation that truncations and rewrites give new files.
    private const string Tables = """
        CREATE TABLE account (id bigserial PRIMARY KEY, balance int NOT NULL, note text);
        CREATE INDEX ON account (balance);
        CREATE TABLE document (id int PRIMARY KEY, content text);
        ALTER TABLE document ALTER content SET STORAGE EXTERNAL;
        CREATE TABLE rewritten (n int);
        """;

    private const string Content = """
        SELECT md5(concat_ws('|',
            (SELECT string_agg(format('%s %s %s', id, balance, note), ',' ORDER BY id) FROM account),
            (SELECT string_agg(format('%s %s', id, md5(content)), ',' ORDER BY id) FROM document),
            (SELECT string_agg(n::text, ',' ORDER BY n) FROM rewritten),
            (SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relname LIKE 'made_%')))
        """;

    private readonly RestoreLab _lab;
    private readonly List<RecordedPoint> _points = [];

    private RecordedPast(RestoreLab lab) => _lab = lab;

    public PostgresCluster Cluster => _lab.Cluster;

    public RestoreLab Lab => _lab;

    public static async Task<RecordedPast> StartAsync(PostgresClusterOptions options)
    {
        RestoreLab lab = await RestoreLab.StartAsync(options);
        await lab.Cluster.ExecuteAsync(Tables + "CREATE EXTENSION amcheck");
        var past = new RecordedPast(lab);
        await past.ChangeAsync("start");
        return past;
    }

    /// <summary>Takes a backup, and reads it with stock tools.</summary>
    public async Task<BackupResult> BackUpAsync(BackupTypeRequest type = BackupTypeRequest.Full)
    {
        BackupResult result = await _lab.BackupAsync(type);
        Assert.Equal(Cluster.Tools.Version, result.ServerVersion);
        await new WalGBackupChecker(_lab.RepositoryPath, result.Name).CheckAsync();
        return result;
    }

    /// <summary>Changes the tables in many ways, and remembers the point after that.</summary>
    public async Task<RecordedPoint> ChangeAsync(string name)
    {
        await Cluster.ExecuteAsync($"""
            INSERT INTO account (balance, note) SELECT g, '{name}' || g FROM generate_series(1, 3000) g;
            UPDATE account SET balance = balance + 1 WHERE id % 7 = 3;
            DELETE FROM account WHERE id % 11 = 5;
            INSERT INTO document SELECT coalesce(max(id), 0) + 1, repeat('{name}', 5000) FROM document;
            TRUNCATE rewritten;
            INSERT INTO rewritten SELECT generate_series(1, 500);
            CREATE TABLE made_{name} AS SELECT 1 AS one
            """);
        await Cluster.ExecuteAsync("VACUUM account");
        string content = await Cluster.ScalarAsync<string>(Content);
        await Cluster.ExecuteAsync($"SELECT pg_create_restore_point('{name}')");
        var point = new RecordedPoint(name, await _lab.LsnAsync(), content);
        _points.Add(point);
        return point;
    }

    /// <summary>Archives what there is and restores to a point; the server that then runs must hold what was there.</summary>
    public async Task CheckAsync(RestoreTarget target, RecordedPoint point, RecoveryTargetAction action = RecoveryTargetAction.Promote)
    {
        string destination = _lab.NewDestination($"restored-{Guid.NewGuid():N}"[..16]);
        RestoreResult result = await _lab.RestoreAsync(new RestoreOptions
        {
            Request = _lab.Request(target, destination) with { TargetAction = action },
            Start = true,
        });
        Assert.Equal(action == RecoveryTargetAction.Pause ? RestoreStatus.Paused : RestoreStatus.Promoted, result.Status);
        Assert.Equal($"{Cluster.Tools.Version.Major}", (await RestoreLab.QueryAsync(result, "SHOW server_version")).Split('.')[0]);
        Assert.Equal(point.Content, await RestoreLab.QueryAsync(result, Content));
        if (action == RecoveryTargetAction.Promote)
        {
            Assert.Equal(2u, result.Timeline.Value);
            Assert.NotNull(result.ReachedTime);
            await RestoreLab.QueryAsync(result, """
                SELECT count(bt_index_check(c.oid, true)) FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'btree' AND c.relpersistence = 'p'
                """);
            if (Cluster.Tools.Major >= 14)
            {
                Assert.Equal("0", await RestoreLab.QueryAsync(result, """
                    SELECT count(v.*) FROM pg_class c CROSS JOIN LATERAL verify_heapam(c.oid) v WHERE c.relkind IN ('r', 't', 'm') AND c.relpersistence = 'p'
                    """));
            }
        }
        await _lab.StopAsync(destination);
    }

    public ValueTask DisposeAsync() => _lab.DisposeAsync();
}
