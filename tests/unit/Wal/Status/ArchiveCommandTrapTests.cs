using PgBackup.Wal.Status;

namespace PgBackup.Tests.Wal.Status;

public sealed class ArchiveCommandTrapTests
{
    [Theory]
    [InlineData("true")]
    [InlineData("/bin/true")]
    [InlineData("/usr/bin/true")]
    [InlineData(" '/bin/true' %p ")]
    [InlineData(":")]
    [InlineData(": %p %f")]
    [InlineData("exit 0")]
    [InlineData("cd .")]
    [InlineData("REM nothing")]
    [InlineData("echo %p")]
    [InlineData("/bin/echo archived %f")]
    public void WhatOnlySucceedsStoresNothing(string command) => Assert.True(ArchiveCommandTrap.StoresNothing(command));

    [Theory]
    [InlineData("cp %p /archive/%f || true")]
    [InlineData("cp %p /archive/%f ; /bin/true")]
    [InlineData("cp %p /archive/%f;exit 0")]
    [InlineData("cp %p /archive/%f || :")]
    [InlineData("rsync %p host:%f &")]
    public void AnEndThatSucceedsHidesFailures(string command)
    {
        Assert.True(ArchiveCommandTrap.HidesFailures(command));
        Assert.False(ArchiveCommandTrap.StoresNothing(command));
    }

    [Theory]
    [InlineData("pgbackup-wal push %p")]
    [InlineData("'/usr/local/share/powershell/Modules/PgBackup/bin/pgbackup-wal' push --config /etc/pgbackup/config.yaml %p")]
    [InlineData("test ! -f /archive/%f && cp %p /archive/%f")]
    [InlineData("true && cp %p /archive/%f")]
    [InlineData("echo %p >> /log; cp %p /archive/%f")]
    [InlineData("cp %p /archive/%f 2>&1")]
    [InlineData("wal-g wal-push \"%p\" # 100%%")]
    public void WhatIsInOrderIsNoTrap(string command)
    {
        Assert.False(ArchiveCommandTrap.StoresNothing(command));
        Assert.False(ArchiveCommandTrap.HidesFailures(command));
        Assert.False(ArchiveCommandTrap.NamesNoFile(command));
    }

    [Theory]
    [InlineData("archive.sh")]
    [InlineData("archive.sh 100%%p")]
    public void ACommandThatIsNotToldTheFileIsSeen(string command) => Assert.True(ArchiveCommandTrap.NamesNoFile(command));
}
