using PgBackup.Restore;
using PgBackup.Restore.Planning;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Restore;

/// <summary>The five settings that a server in recovery must not have smaller than the one that wrote the WAL.</summary>
public sealed class StandbySettingsTests
{
    private static readonly (string Name, int Small, int Large)[] s_settings =
    [
        ("max_connections", 20, 130), ("max_worker_processes", 4, 20), ("max_wal_senders", 3, 15), ("max_prepared_transactions", 0, 10), ("max_locks_per_transaction", 32, 100),
    ];

    /// <summary>The backup's pg_control has large values, its configuration small ones that wait for a restart.</summary>
    [Theory]
    [InlineData(RecoveryTargetAction.Promote)]
    [InlineData(RecoveryTargetAction.Pause)]
    public async Task SmallerOnesInTheConfigurationAreRaised(RecoveryTargetAction action)
    {
        await using RestoreLab lab = await RestoreLab.StartAsync(new PostgresClusterOptions { Settings = Large });
        await ConfigureAsync(lab, s => s.Small);
        await lab.BackupAsync();
        await lab.InsertAsync("A");
        await lab.ArchiveAsync();
        RestoreResult result = await RestoreAsync(lab, action);
        Assert.Equal("A", await RestoreLab.RowsAsync(result));
        await AssertAtLeastLargeAsync(result);
    }

    /// <summary>The values grow while the log that is replayed was written: pg_control of the backup knows nothing of it.</summary>
    [Theory]
    [InlineData(RecoveryTargetAction.Promote)]
    [InlineData(RecoveryTargetAction.Pause)]
    [InlineData(RecoveryTargetAction.Shutdown)]
    public async Task OnesThatGrewWithinTheLogDoNotHoldUpReplay(RecoveryTargetAction action)
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        await ConfigureAsync(lab, s => s.Small);
        await lab.Cluster.RestartAsync();
        await lab.BackupAsync();
        await lab.InsertAsync("A");
        await ConfigureAsync(lab, s => s.Large);
        await lab.Cluster.RestartAsync();
        await lab.InsertAsync("B");
        await lab.ArchiveAsync();
        RestoreResult result = await RestoreAsync(lab, action);
        if (action == RecoveryTargetAction.Shutdown)
        {
            // As the documentation has it: with another action the server can be started again, and stands where it stood.
            string conf = Path.Combine(result.DataDirectory, "postgresql.auto.conf");
            await File.AppendAllTextAsync(conf, "recovery_target_action = 'pause'\n");
            await lab.StartByHandAsync(result);
        }
        Assert.Equal("A,B", await RestoreLab.RowsAsync(result));
        if (action != RecoveryTargetAction.Promote)
        {
            await AssertAtLeastLargeAsync(result);
            await RestoreLab.QueryAsync(result, "SELECT pg_wal_replay_resume()::text");
            for (int i = 0; await RestoreLab.QueryAsync(result, "SELECT pg_is_in_recovery()") == "True"; i++)
            {
                Assert.True(i < 200, "It was not promoted.");
                await Task.Delay(50);
            }
        }
        await RestoreLab.QueryAsync(result, "INSERT INTO t VALUES ('C')");
    }

    private static Dictionary<string, string> Large => s_settings.ToDictionary(s => s.Name, s => $"{s.Large}");

    private static async Task ConfigureAsync(RestoreLab lab, Func<(string Name, int Small, int Large), int> value)
    {
        foreach ((string Name, int Small, int Large) setting in s_settings)
            await lab.Cluster.ExecuteAsync($"ALTER SYSTEM SET {setting.Name} = {value(setting)}");
    }

    private static Task<RestoreResult> RestoreAsync(RestoreLab lab, RecoveryTargetAction action) => lab.RestoreAsync(new RestoreOptions
    {
        Request = lab.Request(RestoreTarget.Latest) with { TargetAction = action },
        Start = true,
        Timeout = TimeSpan.FromSeconds(20),
    });

    private static async Task AssertAtLeastLargeAsync(RestoreResult result)
    {
        foreach ((string name, _, int large) in s_settings)
            Assert.True(int.Parse(await RestoreLab.QueryAsync(result, $"SHOW {name}")) >= large, name);
    }
}
