using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Postgres.Server;
using PgBackup.Repository;
using PgBackup.Tests.Kit;
using PgBackup.Wal.Archiving;
using PgBackup.Wal.Fetch;
using PgBackup.Wal.Push;
using PgBackup.Wal.Status;

namespace PgBackup.Tests.Wal;

/// <summary>Archiving turned on and watched on a real server.</summary>
public sealed class WalArchivingTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private PostgresCluster _cluster = null!;
    private BackupRepository _repository = null!;
    private string _archive = null!;

    public async Task InitializeAsync()
    {
        _cluster = await PostgresCluster.RunAsync();
        // A shim in the place of the entry script: it copies, uncompressed, as the repository has it.
        _archive = Path.Combine(_cluster.Folder, "repo", "wal_005");
        ServerAccount.Current.CreateFolder(Path.Combine(_cluster.Folder, "repo"), TempFolder.Traversable);
        ServerAccount.Current.CreateFolder(_archive, TempFolder.Traversable);
        _repository = WalSamples.Repository(Path.Combine(_cluster.Folder, "repo"));
    }

    public async Task DisposeAsync()
    {
        await _cluster.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task APlanChangesNothingAndApplyingItTurnsArchivingOn()
    {
        string command = $"cp %p '{_archive}/%f' # it''s 100%%";
        WalArchivingPlan plan;
        await using (ServerSession session = await OpenAsync())
        {
            plan = await WalArchiving.PlanAsync(session, command);
            Assert.Equal(("off", "on", SettingNeeds.Restart), Facts(plan, "archive_mode"));
            Assert.Equal(("", command, SettingNeeds.Reload), Facts(plan, "archive_command"));
            Assert.Equal(("0", "60", SettingNeeds.Reload), Facts(plan, "archive_timeout"));
            Assert.Equal(("replica", "replica", SettingNeeds.Nothing), Facts(plan, "wal_level"));
            Assert.DoesNotContain(plan.Settings, s => s.Name == "archive_library" && s.IsChanged);
            Assert.Equal("off", await _cluster.ScalarAsync<string>("SELECT setting FROM pg_file_settings WHERE name = 'archive_mode' UNION ALL SELECT 'off' LIMIT 1"));
            Assert.Equal(WalArchiveHealth.Off, (await WalArchiveStatusReader.ReadAsync(session, _repository)).Status);

            IReadOnlyList<WalArchivingSetting> applied = await WalArchiving.ApplyAsync(session, plan);
            Assert.Equal(SettingNeeds.Restart, applied.Single(s => s.Name == "archive_mode").Needs);
            Assert.Equal(SettingNeeds.Nothing, applied.Single(s => s.Name == "archive_command").Needs);
            WalArchiveStatus pending = await WalArchiveStatusReader.ReadAsync(session, _repository);
            Assert.Equal(WalArchiveHealth.Off, pending.Status);
            Assert.Contains("restart", Assert.Single(pending.Reasons), StringComparison.Ordinal);
        }
        await _cluster.RestartAsync();
        await using ServerSession after = await OpenAsync();
        Assert.False((await WalArchiving.PlanAsync(after, command)).HasChanges);
        Assert.Equal(command, await _cluster.ScalarAsync<string>("SHOW archive_command"));
        await _cluster.ExecuteAsync("CREATE TABLE t AS SELECT 1; SELECT pg_switch_wal()");
        WalArchiveStatus status = await WaitAsync(after, s => s.ArchivedCount > 0);
        Assert.Equal(WalArchiveHealth.Ok, status.Status);
        Assert.Empty(status.Reasons);
        Assert.Equal(status.LastArchivedWal, status.NewestSegment?.ToString());
        Assert.Equal(0, status.LagSegments);
        Assert.Equal(TimelineId.First, status.Timeline);
        Assert.Equal(0, status.ReadyCount);
    }

    [Fact]
    public async Task AFailingCommandIsAFailureAndAForeignOneToo()
    {
        await EnableAsync("false");
        await using ServerSession session = await OpenAsync();
        await _cluster.ExecuteAsync("CREATE TABLE t AS SELECT 1; SELECT pg_switch_wal()");
        WalArchiveStatus failing = await WaitAsync(session, s => s.FailedCount > 0);
        Assert.Equal(WalArchiveHealth.Failure, failing.Status);
        Assert.Contains(failing.Reasons, reason => reason.Contains(failing.LastFailedWal!, StringComparison.Ordinal));
        Assert.True(failing.ReadyCount > 0);

        await WalArchiving.ApplyAsync(session, await WalArchiving.PlanAsync(session, "true"));
        WalArchiveStatus elsewhere = await WaitAsync(session, s => s.LastArchivedTime > s.LastFailedTime);
        Assert.Equal(WalArchiveHealth.Failure, elsewhere.Status);
        Assert.Contains(elsewhere.Reasons, reason => reason.Contains("does not hold it", StringComparison.Ordinal));
        Assert.Null(elsewhere.NewestSegment);
        Assert.Contains(
            (await WalArchiveStatusReader.ReadAsync(session, _repository with { Store = new PgBackup.Storage.DirectoryStore("/nowhere") })).Reasons,
            reason => reason.Contains("does not exist", StringComparison.Ordinal));
    }

    [Fact]
    public async Task WhatTheServerArchivesIsPushedAsItIs()
    {
        await EnableAsync($"cp %p '{_archive}/%f'");
        BackupRepository target = WalSamples.Repository(_folder.Combine("target"));
        await using ServerSession session = await OpenAsync();
        for (int i = 0; i < 3; i++)
            await _cluster.ExecuteAsync($"CREATE TABLE t{i} AS SELECT generate_series(1, 10000) AS n; SELECT pg_switch_wal()");
        await _cluster.ExecuteAsync("SELECT pg_backup_start('x', true); SELECT * FROM pg_backup_stop(false)");
        await WaitAsync(session, s => s.ArchivedCount >= 4 && s.ReadyCount == 0);
        string[] files = Directory.GetFiles(_archive);
        Assert.Contains(files, file => file.EndsWith(".backup", StringComparison.Ordinal));
        foreach (string file in files)
        {
            Assert.Equal(WalPushStatus.Stored, (await WalPush.PushAsync(target, file)).Status);
            await WalFetch.FetchAsync(target, Path.GetFileName(file), _folder.Combine("out"));
            Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(_folder.Combine("out")));
        }
        await WalArchiving.RequireIdentityAsync(session, target);
        BackupRepository foreign = WalSamples.Repository(_folder.Combine("foreign"));
        await WalPush.PushAsync(foreign, WalSamples.WriteSegment(_folder.Combine("pg_wal")));
        Assert.Equal("ClusterIdentityMismatch", (await Assert.ThrowsAsync<PgBackupException>(() => WalArchiving.RequireIdentityAsync(session, foreign))).Id);
    }

    [Fact]
    public async Task FilesOfAPromotedServerAreArchivedToo()
    {
        await EnableAsync($"cp %p '{_archive}/%f'");
        await _cluster.ExecuteAsync("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n");
        await _cluster.StopAsync();
        File.WriteAllText(Path.Combine(_cluster.DataDirectory, "standby.signal"), "");
        ServerAccount.Current.Own(Path.Combine(_cluster.DataDirectory, "standby.signal"));
        await _cluster.StartAsync();
        await using (ServerSession standby = await OpenAsync())
        {
            Assert.Contains((await WalArchiving.PlanAsync(standby, "true")).Warnings, w => w.Contains("standby", StringComparison.Ordinal));
            Assert.Equal(TimelineId.First, (await WalArchiveStatusReader.ReadAsync(standby, _repository)).Timeline);
        }
        await _cluster.ExecuteAsync("SELECT pg_promote()");
        await _cluster.ExecuteAsync("CREATE TABLE u AS SELECT generate_series(1, 1000) AS n; SELECT pg_switch_wal()");
        await using ServerSession session = await OpenAsync();
        WalArchiveStatus status = await WaitAsync(session, s => s.NewestSegment is not null && s.ReadyCount == 0);
        Assert.Equal(new TimelineId(2), status.Timeline);
        BackupRepository target = WalSamples.Repository(_folder.Combine("target"));
        string[] files = Directory.GetFiles(_archive);
        Assert.Contains(files, file => file.EndsWith("00000002.history", StringComparison.Ordinal));
        foreach (string file in files)
            Assert.Equal(WalPushStatus.Stored, (await WalPush.PushAsync(target, file)).Status);
    }

    [Fact]
    public async Task ACommandThatIsReplacedIsNamed()
    {
        await EnableAsync("test ! -e /old");
        await using ServerSession session = await OpenAsync();
        WalArchivingPlan plan = await WalArchiving.PlanAsync(session, "new", TimeSpan.FromMinutes(5));
        Assert.Contains(plan.Warnings, w => w.Contains("test ! -e /old", StringComparison.Ordinal));
        Assert.Equal(("60", "300", SettingNeeds.Reload), Facts(plan, "archive_timeout"));
        Assert.Equal(("on", "on", SettingNeeds.Nothing), Facts(plan, "archive_mode"));
    }

    [Fact]
    public void AKeyInTheEnvironmentIsWarnedOf()
    {
        Assert.Null(WalArchiving.KeyWarning(new EntryCommand(new NativeProgram("/p"), "/r")));
        Assert.Contains("WALG_LIBSODIUM_KEY", WalArchiving.KeyWarning(new EntryCommand(new NativeProgram("/p"), "/r") { RequireKey = true }), StringComparison.Ordinal);
    }

    private Task<ServerSession> OpenAsync() => ServerSession.OpenAsync(new ServerConnectionSettings { ConnectionString = _cluster.ConnectionString });

    private async Task EnableAsync(string command)
    {
        await using (ServerSession session = await OpenAsync())
            await WalArchiving.ApplyAsync(session, await WalArchiving.PlanAsync(session, command));
        await _cluster.RestartAsync();
    }

    private async Task<WalArchiveStatus> WaitAsync(ServerSession session, Func<WalArchiveStatus, bool> until)
    {
        for (int i = 0; ; i++)
        {
            WalArchiveStatus status = await WalArchiveStatusReader.ReadAsync(session, _repository);
            if (until(status))
                return status;
            Assert.True(i < 600, $"After a minute: {status.Status}, archived {status.ArchivedCount}, failed {status.FailedCount}, ready {status.ReadyCount}: {string.Join(" ", status.Reasons)}");
            await Task.Delay(100);
        }
    }

    private static (string, string, SettingNeeds) Facts(WalArchivingPlan plan, string name)
    {
        WalArchivingSetting setting = plan.Settings.Single(s => s.Name == name);
        return (setting.OldValue, setting.NewValue, setting.Needs);
    }
}
