using Npgsql;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Restore;
using PgBackup.Restore.Planning;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Restore;

/// <summary>
/// What a plan says that will be reached, against what the server has reached: the end of replay stands in the history file of the timeline that it begins there, the last
/// transaction in its log.
/// </summary>
public sealed class ReachedPointTests : IAsyncLifetime
{
    private RestoreLab _lab = null!;

    public async Task InitializeAsync() => _lab = await RestoreLab.StartAsync(new PostgresClusterOptions
    {
        Settings = new Dictionary<string, string> { ["track_commit_timestamp"] = "on", ["max_prepared_transactions"] = "10" },
    });

    public async Task DisposeAsync() => await _lab.DisposeAsync();

    [Fact]
    public async Task ThePlanForeseesWhereTheServerStops()
    {
        await _lab.InsertAsync("before");
        BackupResult backup = await _lab.BackupAsync();
        await _lab.InsertAsync("A");
        Lsn atA = await _lab.LsnAsync();
        await SqlAsync("SELECT pg_create_restore_point('twice')");
        await _lab.InsertAsync("B");
        await SqlAsync("SELECT pg_create_restore_point('twice')");
        // A subtransaction that is rolled back leaves a record of its own, one that is released does not.
        (ulong top, ulong released, ulong rolledBack) = await SubtransactionsAsync();
        ulong prepared = ulong.Parse(await ScalarAsync("BEGIN; INSERT INTO t VALUES ('P'); SELECT pg_current_xact_id()::text; PREPARE TRANSACTION 'p'"));
        await _lab.InsertAsync("C");
        await SqlAsync("COMMIT PREPARED 'p'");
        await using var open = new NpgsqlConnection(_lab.Cluster.ConnectionString);
        await open.OpenAsync();
        await using var begin = new NpgsqlCommand("BEGIN; INSERT INTO t VALUES ('open'); SELECT pg_current_xact_id()::text", open);
        ulong inProgress = ulong.Parse((string)(await begin.ExecuteScalarAsync())!);
        await _lab.InsertAsync("D");
        await _lab.InsertAsync("E");
        await _lab.ArchiveAsync();

        DateTimeOffset timeB = await CommitTimeAsync("B"), timeP = await CommitTimeAsync("P"), timeD = await CommitTimeAsync("D");
        await CheckAsync(RestoreTarget.Immediate, "before");
        await CheckAsync(RestoreTarget.AtLsn(atA, exclusive: true), "A,before");
        await CheckAsync(RestoreTarget.AtLsn(atA), "A,before"); // The record there is the restore point.
        await CheckAsync(RestoreTarget.AtName("twice"), "A,before");
        await CheckAsync(RestoreTarget.AtTime(timeB), "A,B,before");
        await CheckAsync(RestoreTarget.AtTime(timeB, exclusive: true), "A,before");
        await CheckAsync(RestoreTarget.AtXid(rolledBack), "A,B,before");
        await CheckAsync(RestoreTarget.AtXid(top), "A,B,S,before");
        await CheckAsync(RestoreTarget.AtXid(prepared, exclusive: true), "A,B,C,S,before");
        await CheckAsync(RestoreTarget.AtXid(prepared), "A,B,C,P,S,before");
        await CheckAsync(RestoreTarget.AtTime(timeP, exclusive: true), "A,B,C,S,before");
        await CheckAsync(RestoreTarget.AtTime(timeP), "A,B,C,P,S,before");
        await CheckAsync(Zoned(timeD, "America/New_York"), "A,B,C,D,P,S,before");
        await CheckAsync(Zoned(timeD, "Asia/Kathmandu"), "A,B,C,D,P,S,before");
        await CheckAsync(RestoreTarget.Latest, "A,B,C,D,E,P,S,before");

        foreach (ulong xid in new[] { released, inProgress, 4_000_000ul })
        {
            PgBackupException unknown = await RefusedAsync(RestoreTarget.AtXid(xid));
            Assert.Contains("commit or abort", unknown.Message, StringComparison.Ordinal);
        }
        PgBackupException early = await RefusedAsync(RestoreTarget.AtTime(await CommitTimeAsync("before")));
        Assert.Contains(backup.Name, early.Message, StringComparison.Ordinal);
        Assert.Contains("-Immediate", early.Hint, StringComparison.Ordinal);
        await RefusedAsync(RestoreTarget.AtLsn(backup.FinishLsn - 1));
    }

    private static RestoreTarget Zoned(DateTimeOffset time, string zone) =>
        RestoreTarget.AtTime(TargetTime.Parse($"{TimeZoneInfo.ConvertTime(time, TimeZoneInfo.FindSystemTimeZoneById(zone)):yyyy-MM-dd HH:mm:ss.ffffff} {zone}"));

    private async Task CheckAsync(RestoreTarget target, string rows)
    {
        string destination = _lab.NewDestination(Guid.NewGuid().ToString("N")[..8]);
        RestorePlan plan = await _lab.PlanAsync(target);
        RestoreResult result = await _lab.RestoreAsync(target, destination);
        Assert.Equal((target, rows), (target, await RestoreLab.RowsAsync(result)));
        TimelineHistory history = TimelineHistory.Parse(new TimelineId(2), await File.ReadAllTextAsync(Path.Combine(destination, "pg_wal", "00000002.history")));
        Assert.Equal((target, history.Path[0].End), (target, plan.ReachedLsn));
        string? logged = (await File.ReadAllLinesAsync(result.LogPath!)).SingleOrDefault(l => l.Contains("last completed transaction was at log time", StringComparison.Ordinal));
        // The server logs milliseconds up to 14.
        Assert.Equal(logged is null, plan.ReachedTime is null);
        if (logged is not null)
            Assert.Contains($"log time {plan.ReachedTime:yyyy-MM-dd HH:mm:ss.fff}", logged, StringComparison.Ordinal);
        await _lab.StopAsync(destination);
        Directory.Delete(destination, recursive: true);
    }

    private async Task<PgBackupException> RefusedAsync(RestoreTarget target)
    {
        PgBackupException refused = await Assert.ThrowsAsync<PgBackupException>(() => _lab.PlanAsync(target));
        Assert.Equal((target, "TargetNotReachable"), (target, refused.Id));
        return refused;
    }

    private async Task<(ulong Top, ulong Released, ulong RolledBack)> SubtransactionsAsync()
    {
        await using var connection = new NpgsqlConnection(_lab.Cluster.ConnectionString);
        await connection.OpenAsync();
        await RunAsync("BEGIN; SAVEPOINT a; INSERT INTO t VALUES ('S')");
        ulong released = await XidAsync();
        await RunAsync("RELEASE a; SAVEPOINT b; INSERT INTO t VALUES ('X')");
        ulong rolledBack = await XidAsync();
        await RunAsync("ROLLBACK TO b");
        ulong top = ulong.Parse((string)(await new NpgsqlCommand("SELECT pg_current_xact_id()::text", connection).ExecuteScalarAsync())!);
        await RunAsync("COMMIT");
        return (top, released, rolledBack);

        async Task RunAsync(string sql) => await new NpgsqlCommand(sql, connection).ExecuteNonQueryAsync();

        // The id of the subtransaction stands in the row that it has made.
        async Task<ulong> XidAsync() => ulong.Parse((string)(await new NpgsqlCommand("SELECT max(xmin::text::bigint)::text FROM t", connection).ExecuteScalarAsync())!);
    }

    private async Task<DateTimeOffset> CommitTimeAsync(string value) =>
        new(await _lab.Cluster.ScalarAsync<DateTime>($"SELECT pg_xact_commit_timestamp(xmin) FROM t WHERE v = '{value}'"));

    private Task SqlAsync(string sql) => _lab.Cluster.ExecuteAsync(sql);

    private Task<string> ScalarAsync(string sql) => _lab.Cluster.ScalarAsync<string>(sql);
}
