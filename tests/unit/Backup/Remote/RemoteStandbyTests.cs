using PgBackup.Backup;
using PgBackup.Errors;
using PgBackup.Restore;
using PgBackup.Restore.Planning;
using PgBackup.Tests.Restore;
using PgBackup.Tests.Versions;

namespace PgBackup.Tests.Backup.Remote;

/// <summary>Backups that a standby sends.</summary>
public sealed class RemoteStandbyTests
{
    [Theory]
    [InlineData(13)]
    [InlineData(15)]
    [InlineData(17)]
    public async Task AFullBackupAndADeltaFromAStandby(int major)
    {
        await using ReplicatedLab lab = await ReplicatedLab.StartAsync(major);
        BackupOptions options = lab.Options with { Mode = BackupMode.Remote };
        await lab.CheckpointAsync();
        BackupResult full = await lab.BackUpAsync(options);
        await new WalGBackupChecker(lab.Lab.RepositoryPath, full.Name).CheckAsync();
        await lab.Primary.ExecuteAsync("UPDATE account SET balance = -1 WHERE id % 400 = 0; DELETE FROM account WHERE id BETWEEN 500 AND 700");
        await lab.CheckpointAsync();
        BackupResult delta = await lab.BackUpAsync(options with { Type = BackupTypeRequest.Delta });
        Assert.Equal((BackupType.Delta, full.Name), (delta.Type, delta.Parent));
        await lab.Lab.InsertAsync("after");
        string content = await lab.Primary.ScalarAsync<string>("SELECT md5(string_agg(a::text, ',' ORDER BY id)) FROM account a");
        await lab.Lab.ArchiveAsync();
        RestoreResult result = await lab.Lab.RestoreAsync(RestoreTarget.Latest);
        Assert.Equal(content, await RestoreLab.QueryAsync(result, "SELECT md5(string_agg(a::text, ',' ORDER BY id)) FROM account a"));
        Assert.Equal("after", await RestoreLab.RowsAsync(result));
    }

    /// <summary>Files of two servers have other times, the same pages.</summary>
    [Fact]
    public async Task ADeltaFromThePrimaryRestsOnABackupOfAStandby()
    {
        await using ReplicatedLab lab = await ReplicatedLab.StartAsync(15);
        BackupOptions options = lab.Options with { Mode = BackupMode.Remote };
        await lab.CheckpointAsync();
        BackupResult full = await lab.BackUpAsync(options);
        await lab.Primary.ExecuteAsync("UPDATE account SET balance = -1 WHERE id % 400 = 0");
        BackupResult delta = await lab.BackUpAsync(options with
        {
            Server = new() { ConnectionString = lab.Primary.ConnectionString },
            Type = BackupTypeRequest.Delta,
        });
        Assert.Equal(full.Name, delta.Parent);
        Assert.True(delta.SkippedFileCount > 0);
        await lab.Lab.InsertAsync("after");
        string content = await lab.Primary.ScalarAsync<string>("SELECT md5(string_agg(a::text, ',' ORDER BY id)) FROM account a");
        await lab.Lab.ArchiveAsync();
        RestoreResult result = await lab.Lab.RestoreAsync(RestoreTarget.Latest);
        Assert.Equal(content, await RestoreLab.QueryAsync(result, "SELECT md5(string_agg(a::text, ',' ORDER BY id)) FROM account a"));
    }

    [Theory]
    [InlineData(14)]
    [InlineData(17)]
    public async Task APromotionWhileItSendsIsNoticed(int major)
    {
        await using ReplicatedLab lab = await ReplicatedLab.StartAsync(major);
        // Some 24 MB, which take some seconds.
        BackupOptions options = lab.Options with { Mode = BackupMode.Remote, RateLimit = new ByteSize(4 << 20) };
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => lab.BackUpAsync(
            options, "Receiving", async () => Assert.True(await lab.Standby.ScalarAsync<bool>("SELECT pg_promote()"))));
        Assert.True(error.Id is "StandbyPromoted" or "TimelineChanged", error.ToString());
        await lab.AssertNothingLeftAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task BothConnectionsMustReachOneServer(bool asksThePrimary)
    {
        await using ReplicatedLab lab = await ReplicatedLab.StartAsync(15);
        int[] servers = [lab.Primary.Port, lab.Standby.Port];
        if (!asksThePrimary)
            Array.Reverse(servers);
        await using TamperingProxy proxy = new(servers, static (_, _) => true);
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => lab.BackUpAsync(lab.Options with
        {
            Mode = BackupMode.Remote,
            Server = lab.Options.Server with { HostName = "127.0.0.1", Port = proxy.Port },
        }));
        Assert.True(error.Id == "ServersDiffer", error.ToString());
        Assert.Contains("-HostName", error.Hint, StringComparison.Ordinal);
        await lab.AssertNothingLeftAsync();
    }

    [Fact]
    public async Task WithoutFullPagesItIsRefused()
    {
        await using ReplicatedLab lab = await ReplicatedLab.StartAsync(15);
        await lab.Primary.ExecuteAsync("ALTER SYSTEM SET full_page_writes = off");
        await lab.Primary.ExecuteAsync("SELECT pg_reload_conf()");
        await lab.Primary.ExecuteAsync("CHECKPOINT");
        await lab.Lab.InsertAsync("A");
        await lab.CheckpointAsync();
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => lab.BackUpAsync(lab.Options with { Mode = BackupMode.Remote }));
        Assert.Equal("FullPageWritesOff", error.Id);
        await lab.AssertNothingLeftAsync();
    }
}
