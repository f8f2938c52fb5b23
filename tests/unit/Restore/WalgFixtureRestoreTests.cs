using PgBackup.Restore;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Restore;

/// <summary>Every backup that stock wal-g wrote, restored to every state that is known of it, and asked.</summary>
public sealed class WalgFixtureRestoreTests
{
    public static TheoryData<string, int, string> States()
    {
        var data = new TheoryData<string, int, string>();
        foreach (string codec in new[] { "lz4", "zstd-sodium" })
        {
            for (int backup = 0; backup < 3; backup++)
            {
                foreach (string state in new[] { "name", "time", "latest" })
                    data.Add(codec, backup, state);
            }
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(States))]
    public async Task AWalgBackupIsRestoredToAKnownState(string codec, int backup, string state)
    {
        WalgFixture fixture = WalgFixture.Named(codec);
        await using RestoreLab lab = RestoreLab.Without(fixture.Open());
        await lab.DecodeWalAsync();
        (RestoreTarget target, string expected) = state switch
        {
            "name" => (RestoreTarget.AtName("mark"), fixture.AtRestorePoint),
            "time" => (RestoreTarget.AtTime(fixture.Time), fixture.AtTime),
            _ => (RestoreTarget.Latest, fixture.AtEnd),
        };
        RestoreResult result = await lab.RestoreAsync(new RestoreOptions { Request = lab.Request(target) with { Name = fixture.Backups[backup] }, Start = true });
        Assert.Equal(RestoreStatus.Promoted, result.Status);
        Assert.Equal(fixture.Backups[backup], result.Name);
        Assert.Equal(expected, WalgFixture.Normal(await RestoreLab.QueryAsync(result, fixture.Query)));
        // Every page of every table, by the server's own checksums.
        Assert.Equal("0", await RestoreLab.QueryAsync(result, "SELECT checksum_failures FROM pg_stat_database WHERE datname = 'postgres'"));
        Assert.Equal("off", await RestoreLab.QueryAsync(result, "SHOW archive_mode"));
    }
}
