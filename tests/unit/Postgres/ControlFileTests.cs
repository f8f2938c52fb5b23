using System.Globalization;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Postgres;

public sealed class ControlFileTests
{
    [Theory]
    [InlineData(16, true)]
    [InlineData(1, false)]
    [InlineData(64, true)]
    public async Task Agrees_with_pg_controldata(int segmentMegabytes, bool checksums)
    {
        await using PostgresCluster cluster = await PostgresCluster.RunAsync(new PostgresClusterOptions
        {
            WalSegmentMegabytes = segmentMegabytes,
            DataChecksums = checksums,
            Settings = new Dictionary<string, string> { ["max_connections"] = "37", ["max_prepared_transactions"] = "9", ["wal_level"] = "logical" },
        });
        await cluster.ExecuteAsync("CREATE TABLE t AS SELECT 1; CHECKPOINT");
        await cluster.StopAsync();
        Dictionary<string, string> expected = await ControlDataAsync(cluster);

        ControlFile file = await ControlFile.ReadAsync(cluster.DataDirectory, CancellationToken.None);

        Assert.Equal(expected["Database system identifier"], file.SystemIdentifier.ToString(CultureInfo.InvariantCulture));
        Assert.Equal(expected["pg_control version number"], file.PgControlVersion.ToString(CultureInfo.InvariantCulture));
        Assert.Equal(expected["Catalog version number"], file.CatalogVersion.ToString(CultureInfo.InvariantCulture));
        Assert.Equal("shut down", expected["Database cluster state"]);
        Assert.Equal(ClusterState.ShutDown, file.State);
        Assert.Equal(Lsn.Parse(expected["Latest checkpoint location"]), file.CheckpointLsn);
        Assert.Equal(Lsn.Parse(expected["Latest checkpoint's REDO location"]), file.RedoLsn);
        Assert.Equal(expected["Latest checkpoint's TimeLineID"], file.Timeline.ToString());
        Assert.Equal(expected["Latest checkpoint's PrevTimeLineID"], file.PreviousTimeline.ToString());
        Assert.Equal(expected["Time of latest checkpoint"], ClockText(file.CheckpointTime));
        Assert.Equal(expected["pg_control last modified"], ClockText(file.Time));
        Assert.Equal(Lsn.Parse(expected["Minimum recovery ending location"]), file.MinRecoveryPoint);
        Assert.Equal(Lsn.Parse(expected["Backup start location"]), file.BackupStartPoint);
        Assert.Equal(Lsn.Parse(expected["Backup end location"]), file.BackupEndPoint);
        Assert.Equal(expected["End-of-backup record required"] == "yes", file.BackupEndRequired);
        Assert.Equal("logical", expected["wal_level setting"]);
        Assert.Equal(WalLevel.Logical, file.WalLevel);
        Assert.Equal(expected["max_connections setting"], file.MaxConnections.ToString(CultureInfo.InvariantCulture));
        Assert.Equal(expected["max_worker_processes setting"], file.MaxWorkerProcesses.ToString(CultureInfo.InvariantCulture));
        Assert.Equal(expected["max_wal_senders setting"], file.MaxWalSenders.ToString(CultureInfo.InvariantCulture));
        Assert.Equal(expected["max_prepared_xacts setting"], file.MaxPreparedTransactions.ToString(CultureInfo.InvariantCulture));
        Assert.Equal(expected["max_locks_per_xact setting"], file.MaxLocksPerTransaction.ToString(CultureInfo.InvariantCulture));
        Assert.Equal(expected["Database block size"], file.BlockSize.ToString(CultureInfo.InvariantCulture));
        Assert.Equal(expected["Blocks per segment of large relation"], file.BlocksPerSegment.ToString(CultureInfo.InvariantCulture));
        Assert.Equal(expected["WAL block size"], file.WalBlockSize.ToString(CultureInfo.InvariantCulture));
        Assert.Equal(expected["Bytes per WAL segment"], file.WalSegmentSize.Bytes.ToString(CultureInfo.InvariantCulture));
        Assert.Equal(expected["Data page checksum version"], file.DataChecksumVersion.ToString(CultureInfo.InvariantCulture));
        Assert.Equal(checksums, file.HasDataChecksums);
        Assert.Equal(cluster.Tools.Major, file.MajorVersion);
        Assert.Equal(ControlFile.FileSize, file.Content.Length);
    }

    [Fact]
    public async Task Is_read_again_while_the_server_writes_it()
    {
        await using PostgresCluster cluster = await PostgresCluster.RunAsync();
        string path = Path.Combine(cluster.DataDirectory, "global", "pg_control");
        await cluster.StopAsync();
        byte[] good = await File.ReadAllBytesAsync(path);
        byte[] torn = [.. good];
        torn[100] ^= 1;
        await File.WriteAllBytesAsync(path, torn);

        Task<ControlFile> reading = ControlFile.ReadAsync(cluster.DataDirectory, CancellationToken.None);
        Assert.False(reading.IsCompleted);
        await Task.Delay(100);
        // As the server does it: without the lock that File.WriteAllBytes takes.
        await using (var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0))
            await file.WriteAsync(good);

        Assert.Equal(good, (await reading).Content.ToArray());
    }

    [Fact]
    public async Task Every_flipped_bit_is_noticed()
    {
        await using PostgresCluster cluster = await PostgresCluster.CreateAsync();
        byte[] content = await File.ReadAllBytesAsync(Path.Combine(cluster.DataDirectory, "global", "pg_control"));
        Assert.NotNull(ControlFile.TryParse(content, out _));
        int structure = cluster.Tools.Major >= 18 ? 296 : 292;
        for (int bit = 0; bit < structure * 8; bit++)
        {
            content[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Null(ControlFile.TryParse(content, out ControlFileStatus status));
            Assert.Equal(bit / 8 is >= 8 and < 12 ? ControlFileStatus.VersionNotSupported : ControlFileStatus.ChecksumMismatch, status);
            content[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public async Task Damage_and_absence_are_told_apart()
    {
        Assert.Null(ControlFile.TryParse(new byte[100], out ControlFileStatus status));
        Assert.Equal(ControlFileStatus.TooShort, status);
        Assert.Equal("ControlFileInvalid", Assert.Throws<PgBackupException>(() => ControlFile.Parse(new byte[100], "x")).Id);
        Assert.Equal("ControlFileVersionNotSupported", Assert.Throws<PgBackupException>(() => ControlFile.Parse(new byte[8192], "x")).Id);
        using TempFolder folder = new();
        PgBackupException missing = await Assert.ThrowsAsync<PgBackupException>(() => ControlFile.ReadAsync(folder.Path, CancellationToken.None));
        Assert.Equal("ControlFileNotFound", missing.Id);
    }

    // pg_controldata prints times in the C locale and the zone that TZ names.
    private static string ClockText(DateTimeOffset time) => time.ToString("ddd dd MMM yyyy HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);

    private static async Task<Dictionary<string, string>> ControlDataAsync(PostgresCluster cluster)
    {
        System.Diagnostics.ProcessStartInfo start = new(cluster.Tools.Tool("pg_controldata"), [cluster.DataDirectory]);
        start.Environment["LC_ALL"] = "C";
        start.Environment["TZ"] = "UTC";
        string output = (await ToolProcess.RunAsync(start)).EnsureSuccess().Output;
        Dictionary<string, string> values = [];
        foreach (string line in output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            string value = line[(colon + 1)..].Trim();
            // Its time format is %c: "Sun 18 Jan 2026 10:00:00 AM UTC" or, in the C locale, "Sun Jan 18 10:00:00 2026".
            if (DateTime.TryParseExact(
                value.Replace("  ", " ", StringComparison.Ordinal), "ddd MMM d HH:mm:ss yyyy", CultureInfo.InvariantCulture, DateTimeStyles.None, out DateTime time))
                value = time.ToString("ddd dd MMM yyyy HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);
            values[line[..colon]] = value;
        }
        return values;
    }
}
