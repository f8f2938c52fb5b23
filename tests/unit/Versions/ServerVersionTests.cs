using PgBackup.Restore;
using PgBackup.Restore.Planning;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Versions;

/// <summary>Every supported version of the server, from the backup to the restored rows.</summary>
public sealed class ServerVersionTests
{
    public static TheoryData<int, bool> Servers()
    {
        var servers = new TheoryData<int, bool>();
        foreach (int major in PostgresTools.Majors)
        {
            servers.Add(major, false);
            if (major >= 17)
                servers.Add(major, true);
        }
        return servers;
    }

    [Theory]
    [MemberData(nameof(Servers))]
    public async Task WhatIsBackedUpComesBack(int major, bool summarizeWal)
    {
        var settings = new Dictionary<string, string>();
        if (summarizeWal)
            settings["summarize_wal"] = "on";
        await using RecordedPast past = await RecordedPast.StartAsync(new PostgresClusterOptions { Tools = PostgresTools.OfMajor(major), Settings = settings });
        BackupResult full = await past.BackUpAsync();
        RecordedPoint one = await past.ChangeAsync("one");
        RecordedPoint two = await past.ChangeAsync("two");
        BackupResult delta = await past.BackUpAsync(BackupTypeRequest.Delta);
        Assert.Equal(full.Name, delta.Parent);
        RecordedPoint three = await past.ChangeAsync("three");
        await past.Lab.ArchiveAsync();

        await past.CheckAsync(RestoreTarget.AtName(one.Name), one);
        await past.CheckAsync(RestoreTarget.AtLsn(two.Lsn), two, RecoveryTargetAction.Pause);
        await past.CheckAsync(RestoreTarget.Latest, three);
    }
}
