using System.Globalization;
using Npgsql;
using PgBackup.Restore.Planning;
using PgBackup.Tests.Kit;
using PgBackup.Wal.Receiving;

namespace PgBackup.Tests.Wal.Receiving;

/// <summary>What a server that is lost with everything on it costs.</summary>
public sealed class ReceiveLossTests
{
    [Theory]
    [InlineData(15)]
    [InlineData(17)]
    public async Task ACommitThatReturnedIsThereWhenTheReceiverIsSynchronous(int major)
    {
        await using ReceiveLab lab = await ReceiveLab.StartAsync(ReceiveLab.SmallSegments(major));
        // As far from its interval as can be: only what commits wait for is stored.
        await using RunningReceiver receiver = lab.Receive(lab.Options() with { MaxLag = TimeSpan.FromMinutes(10) });
        await receiver.SaidAsync("Receiving timeline");
        await lab.BackupAsync();
        await lab.Cluster.ExecuteAsync($"ALTER SYSTEM SET synchronous_standby_names = '{ReceiveLab.Slot}'");
        await lab.Cluster.ExecuteAsync("SELECT pg_reload_conf()");
        await receiver.SaidAsync("Commits wait for this receiver");
        for (int round = 0; round < 3; round++)
        {
            long returned = await CommitUntilKilledAsync(lab, TimeSpan.FromSeconds(1.5 + round));
            Assert.True(returned > 0);
            string found = await lab.AskRestoredAsync($"SELECT count(*) || ' ' || coalesce(max(id), 0) FROM t WHERE v = 'round {round}' AND id <= {returned}");
            Assert.Equal(await CountAsync(lab, round, returned), found);
            await lab.Cluster.StartAsync();
        }
        await receiver.StopAsync();
    }

    [Fact]
    public async Task WithoutThatSecondsAreLostAtMost()
    {
        await using ReceiveLab lab = await ReceiveLab.StartAsync(ReceiveLab.SmallSegments(megabytes: 16));
        var lag = TimeSpan.FromSeconds(2);
        await using RunningReceiver receiver = lab.Receive(lab.Options() with { MaxLag = lag });
        await receiver.SaidAsync("Receiving timeline");
        await lab.BackupAsync();
        await CommitUntilKilledAsync(lab, TimeSpan.FromSeconds(7));
        DateTimeOffset killed = DateTimeOffset.UtcNow;
        // The receiver's machine dies with it: what is in the repository now is all there is.
        string frozen = lab.Folder.Combine("frozen");
        CopyFolder(lab.RepositoryPath, frozen);
        lab.Repository = new(new PgBackup.Storage.DirectoryStore(frozen), null);

        string last = await lab.AskRestoredAsync("SELECT extract(epoch FROM max(at)) FROM t");

        double lost = (killed - DateTimeOffset.UnixEpoch).TotalSeconds - double.Parse(last, CultureInfo.InvariantCulture);
        Assert.InRange(lost, 0, lag.TotalSeconds + 2);
        // A time and a point within the pieces can be reached, too.
        string before = await lab.AskRestoredAsync(
            "SELECT count(*) FROM t", RestoreTarget.AtTime(DateTimeOffset.UnixEpoch.AddSeconds(double.Parse(last, CultureInfo.InvariantCulture) - 1)));
        Assert.True(long.Parse(before, CultureInfo.InvariantCulture) > 0);
        RecoveryWindow window = Assert.Single(await RecoveryWindowFinder.FindAsync(lab.Repository));
        Assert.Null(window.MissingSegment);
        Assert.InRange((killed - window.EndTime!.Value).TotalSeconds, 0, lag.TotalSeconds + 2);
    }

    [Fact]
    public async Task AStandbyThatFollowsTheArchiveGoesOnBehindPieces()
    {
        await using ReceiveLab lab = await ReceiveLab.StartAsync(ReceiveLab.SmallSegments(megabytes: 16));
        await using RunningReceiver receiver = lab.Receive(lab.Options() with { MaxLag = TimeSpan.FromMilliseconds(500) });
        await receiver.SaidAsync("Receiving timeline");
        await using var service = new RestoreService(lab.Repository);
        await using PostgresCluster standby = await lab.Cluster.RunStandbyAsync(new Dictionary<string, string>
        {
            ["primary_conninfo"] = "", ["restore_command"] = service.Text, ["wal_retrieve_retry_interval"] = "200ms",
        });
        for (int i = 0; i < 6; i++)
        {
            await lab.WriteAsync(rows: 30, size: 200);
            await lab.CaughtUpAsync();
            await standby.WaitForReplayAsync(await lab.Cluster.WalEndAsync());
        }
        await lab.Cluster.ExecuteAsync("SELECT pg_switch_wal()");
        await lab.WriteAsync(rows: 2000, size: 9000);
        await lab.CaughtUpAsync();
        await standby.WaitForReplayAsync(await lab.Cluster.WalEndAsync());
        await receiver.StopAsync();
        Assert.Equal(await lab.Cluster.ScalarAsync<long>("SELECT count(*) FROM t"), await standby.ScalarAsync<long>("SELECT count(*) FROM t"));
        Assert.Contains(service.Given, given => given.Value.InPieces > 1);
    }

    /// <summary>Commits from several sessions until the server is killed; the highest number whose commit returned, of those before it none unanswered.</summary>
    private static async Task<long> CommitUntilKilledAsync(ReceiveLab lab, TimeSpan time)
    {
        using var stop = new CancellationTokenSource();
        long highest = 0;
        Task writer = Task.Run(async () =>
        {
            await using var connection = new NpgsqlConnection(lab.Cluster.ConnectionString);
            await connection.OpenAsync();
            await using var command = new NpgsqlCommand("INSERT INTO t (v) VALUES ($1) RETURNING id", connection);
            command.Parameters.AddWithValue($"round {lab.Round}");
            while (!stop.IsCancellationRequested)
                Interlocked.Exchange(ref highest, (long)(await command.ExecuteScalarAsync(CancellationToken.None))!);
        });
        await Task.Delay(time);
        await lab.Cluster.Kill9Async();
        await stop.CancelAsync();
        await writer.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return highest;
    }

    private static async Task<string> CountAsync(ReceiveLab lab, int round, long returned)
    {
        // By the server's own disk, which was not lost in truth.
        await lab.Cluster.StartAsync();
        string text = await lab.Cluster.ScalarAsync<string>($"SELECT count(*) || ' ' || coalesce(max(id), 0) FROM t WHERE v = 'round {round}' AND id <= {returned}");
        await lab.Cluster.StopAsync();
        lab.Round++;
        return text;
    }

    private static void CopyFolder(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string path in Directory.GetFiles(from))
            File.Copy(path, Path.Combine(to, Path.GetFileName(path)));
        foreach (string path in Directory.GetDirectories(from))
            CopyFolder(path, Path.Combine(to, Path.GetFileName(path)));
    }
}
