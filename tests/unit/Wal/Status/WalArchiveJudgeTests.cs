using FsCheck;
using FsCheck.Fluent;
using PgBackup.Repository;
using PgBackup.Wal;
using PgBackup.Wal.Status;
using static PgBackup.Tests.Wal.Status.StatusSamples;

namespace PgBackup.Tests.Wal.Status;

/// <summary>The judgement alone: facts in, verdict out.</summary>
public sealed class WalArchiveJudgeTests
{
    [Fact]
    public void AHealthyServerIsOkWithoutAWord()
    {
        WalVerdict verdict = Judge(Facts);
        Assert.Equal(WalArchiveHealth.Ok, verdict.Status);
        Assert.Empty(verdict.Reasons);
        Assert.Empty(verdict.Notes);
    }

    [Fact]
    public void AFileThatFailsAgainAndAgainIsNamedWithWhatToLookFor()
    {
        WalVerdict verdict = Judge(With(s => s with
        {
            Archiver = s.Archiver with { LastArchivedTime = Now.AddHours(-1), Failed = 37, LastFailed = "000000010000000000000009", LastFailedTime = Now.AddSeconds(-10) },
            Ready = new ReadyFacts(3, Now.AddMinutes(-40), Now.AddMinutes(-40)),
        }));
        Assert.Equal(WalArchiveHealth.Failure, verdict.Status);
        Assert.Contains("stuck at 000000010000000000000009", verdict.Reasons[0], StringComparison.Ordinal);
        Assert.Contains("37 failed attempts", verdict.Reasons[0], StringComparison.Ordinal);
        Assert.Contains("archive command failed", verdict.Reasons[0], StringComparison.Ordinal);
        Assert.Contains("pgbackup-wal check", verdict.Reasons[0], StringComparison.Ordinal);
        Assert.Contains("Nothing was archived for 40 minutes; 3 finished files wait", verdict.Reasons[1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(10, WalArchiveHealth.Warning)]
    [InlineData(59, WalArchiveHealth.Warning)]
    [InlineData(61, WalArchiveHealth.Ok)]
    public void AFailureThatIsOverIsToldWhileItIsRecent(int minutes, WalArchiveHealth expected)
    {
        Assert.Equal(expected, Judge(With(s => s with
        {
            Archiver = s.Archiver with { Failed = 1, LastFailed = Last, LastFailedTime = Now.AddMinutes(-minutes) },
        })).Status);
    }

    [Fact]
    public void ACommandThatHangsIsAFailureThoughNoAttemptFailed()
    {
        WalVerdict verdict = Judge(With(s => s with
        {
            Archiver = s.Archiver with { LastArchivedTime = Now.AddHours(-3) }, Ready = new ReadyFacts(2, Now.AddHours(-2), null),
        }));
        Assert.Equal(WalArchiveHealth.Failure, verdict.Status);
        Assert.Contains("hangs", Assert.Single(verdict.Reasons), StringComparison.Ordinal);
    }

    [Fact]
    public void ABacklogIsAWarningThatTellsWhetherItGrows()
    {
        WalArchiveFacts behind = With(s => s with { Ready = new ReadyFacts(50, Now.AddMinutes(-2), null) });
        Assert.Contains("become more, by 1.00 MB a second", Assert.Single(Judge(behind with { Growth = 1 << 20 }).Reasons), StringComparison.Ordinal);
        Assert.Contains("fewer", Assert.Single(Judge(behind with { Growth = -5 }).Reasons), StringComparison.Ordinal);
        Assert.Equal(WalArchiveHealth.Ok, WalArchiveJudge.Judge(behind, new WalArchiveThresholds { MaxBacklog = 50 }).Status);
        WalArchiveFacts old = With(s => s with { Ready = new ReadyFacts(2, Now.AddMinutes(-6), null) });
        Assert.Contains("waiting for 6 minutes", Assert.Single(Judge(old).Reasons), StringComparison.Ordinal);
        Assert.Equal(WalArchiveHealth.Ok, WalArchiveJudge.Judge(old, new WalArchiveThresholds { MaxAge = TimeSpan.FromHours(1) }).Status);
    }

    [Fact]
    public void AServerThatHidesItsFilesIsWarnedOf() =>
        Assert.Contains("pg_monitor", Assert.Single(Judge(With(s => s with { Ready = null })).Reasons), StringComparison.Ordinal);

    [Theory]
    [InlineData(15, WalArchiveHealth.Warning, "not used")]
    [InlineData(16, WalArchiveHealth.Failure, "refuses to archive")]
    public void ALibraryBesideACommandIsATrap(int major, WalArchiveHealth expected, string text)
    {
        WalVerdict verdict = Judge(With(s => s with { MajorVersion = major, Settings = Settings(("archive_library", "basic_archive")) }));
        Assert.Equal(expected, verdict.Status);
        Assert.Contains(text, Assert.Single(verdict.Reasons), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/bin/true", WalArchiveHealth.Failure)]
    [InlineData("", WalArchiveHealth.Failure)]
    [InlineData("cp %p /a/%f || true", WalArchiveHealth.Warning)]
    [InlineData("archive.sh", WalArchiveHealth.Warning)]
    public void CommandsThatLieAreSeen(string command, WalArchiveHealth expected) =>
        Assert.Equal(expected, Judge(With(s => s with { Settings = Settings(("archive_command", command)) })).Status);

    [Fact]
    public void SlotsThatHoldBackOrAreLostAreNamedWithTheStatementThatDropsThem()
    {
        WalVerdict verdict = Judge(With(s => s with
        {
            Slots =
            [
                Slot("fine", 900 << 20), Slot("slow", 2L << 30), Slot("gone", 3L << 30, active: false), Slot("dying", 1, walStatus: "unreserved"),
                Slot("dead", 0, active: false, walStatus: "lost"), Slot("idle", 0, active: false, invalidation: "idle_timeout"),
            ],
        }));
        Assert.Equal(WalArchiveHealth.Warning, verdict.Status);
        Assert.Equal(5, verdict.Reasons.Length);
        Assert.Contains("'walreceiver' of the slot 'slow' is 2.00 GB behind", verdict.Reasons[0], StringComparison.Ordinal);
        Assert.Contains("holds 3.00 GB of WAL back; max_slot_wal_keep_size sets no bound", verdict.Reasons[1], StringComparison.Ordinal);
        Assert.Contains("pg_drop_replication_slot('gone')", verdict.Reasons[1], StringComparison.Ordinal);
        Assert.Contains("about to be lost", verdict.Reasons[2], StringComparison.Ordinal);
        Assert.Contains("'dead' is lost:", verdict.Reasons[3], StringComparison.Ordinal);
        Assert.Contains("'idle' is lost (idle_timeout)", verdict.Reasons[4], StringComparison.Ordinal);
    }

    [Fact]
    public void AReceiverWithoutASlotNeedsWhatWalKeepSizeKeeps()
    {
        WalArchiveFacts far = With(s => s with { Receivers = [Receiver(600L << 20)] });
        Assert.Contains("without a slot", Assert.Single(Judge(far).Reasons), StringComparison.Ordinal);
        Assert.Equal(WalArchiveHealth.Ok, Judge(far with { Server = far.Server with { Settings = Settings(("wal_keep_size", "1024")) } }).Status);
        WalVerdict near = Judge(With(s => s with { Receivers = [Receiver(100)] }));
        Assert.Equal(WalArchiveHealth.Ok, near.Status);
        Assert.Contains("wal_keep_size is 0", Assert.Single(near.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void WhatTheRepositoryLacksIsAFailure()
    {
        static WalVerdict Of(Func<RepositoryFacts, RepositoryFacts> change) => Judge(Facts with { Repository = change(Archive) });
        Assert.Contains("stores elsewhere", Assert.Single(Of(r => r with { HoldsLastArchived = false, Newest = null }).Reasons), StringComparison.Ordinal);
        Assert.Equal(WalArchiveHealth.Failure, Of(r => r with { Problem = "It is gone." }).Status);
        Assert.Equal(WalArchiveHealth.Failure, Of(r => r with { NewestProblem = "it is empty." }).Status);
        Assert.Equal(WalArchiveHealth.Warning, Of(r => r with { Newest = WalSegmentName.Parse("000000010000000000000002") }).Status);
        BackupName.TryParse("base_000000010000000000000002", out BackupName? backup);
        Assert.Contains("base_000000010000000000000002", Assert.Single(Of(r => r with { OldestBackupWithoutWal = backup }).Reasons), StringComparison.Ordinal);
    }

    [Fact]
    public void ADiskThatFillsUpIsToldWithTheTimeLeft()
    {
        WalArchiveFacts Growing(long free, long growth) => With(s => s with { Ready = new ReadyFacts(3, Now.AddMinutes(-1), null) }) with { Disk = new DiskFacts(free, null), Growth = growth };
        Assert.Equal(WalArchiveHealth.Ok, Judge(Growing(100L << 30, 1 << 20)).Status);
        Assert.Equal(WalArchiveHealth.Warning, Judge(Growing(10L << 30, 1 << 20)).Status);
        Assert.Contains("full in about 2 hours", Assert.Single(Judge(Growing(10L << 30, 1 << 20)).Reasons), StringComparison.Ordinal);
        Assert.Equal(WalArchiveHealth.Failure, Judge(Growing(2L << 30, 1 << 20)).Status);
        Assert.Equal(WalArchiveHealth.Warning, Judge(Growing(1L << 29, 0)).Status);
        Assert.Equal(WalArchiveHealth.Failure, Judge(Growing(20 << 20, 0)).Status);
        WalVerdict unknown = Judge(Facts with { Disk = new DiskFacts(null, "it is elsewhere") });
        Assert.Equal(WalArchiveHealth.Ok, unknown.Status);
        Assert.Contains("elsewhere", Assert.Single(unknown.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void WhoStreamsIsJudgedByTheRepositoryAndTheSlot()
    {
        WalArchiveFacts off = With(s => s with { Settings = Settings(("archive_mode", "off")), Archiver = new ArchiverFacts(0, null, null, 0, null, null, null), Slots = [Slot()] });
        off = off with { Repository = Archive with { HoldsLastArchived = null } };
        Assert.Equal(WalArchiveMethod.Streaming, off.Method);
        Assert.Equal(WalArchiveHealth.Ok, Judge(off).Status);
        Assert.Equal(WalArchiveHealth.Off, Judge(off with { Repository = null }).Status);
        Assert.Equal(WalArchiveHealth.Off, Judge(off with { Server = off.Server with { Slots = [] } }).Status);
        WalVerdict left = Judge(off with { Server = off.Server with { Slots = [Slot("pgbackup", active: false)] } });
        Assert.Equal(WalArchiveHealth.Failure, left.Status);
        Assert.Contains("nobody is connected with the slot 'pgbackup'", left.Reasons[0], StringComparison.Ordinal);
        WalVerdict other = Judge(off with { Server = off.Server with { CurrentLsn = new Lsn(0x59123456) } });
        Assert.Equal(WalArchiveHealth.Failure, other.Status);
        Assert.Contains("80 segments behind", Assert.Single(other.Reasons), StringComparison.Ordinal);
    }

    [Fact]
    public void AStandbyIsJudgedByWhatHasArrived()
    {
        WalArchiveFacts standby = With(s => s with { IsStandby = true, Archiver = new ArchiverFacts(0, null, null, 0, null, null, null) });
        Assert.Equal(WalArchiveHealth.Ok, Judge(standby).Status);
        Assert.Equal(WalArchiveHealth.Off, Judge(standby with { Repository = null }).Status);
        Assert.Equal(WalArchiveHealth.Failure, Judge(standby with { Repository = Archive with { Newest = null } }).Status);
        Assert.Equal(WalArchiveHealth.Failure, Judge(standby with { Server = standby.Server with { CurrentLsn = new Lsn(0x59123456) } }).Status);
    }

    [Fact]
    public void AProbeThatDidNotArriveIsAFailureAndOneThatCouldNotBeMadeAWarning()
    {
        Assert.Equal(WalArchiveHealth.Ok, Judge(Facts with { Probe = new ProbeFacts(WalSegmentName.Parse(Last), TimeSpan.FromSeconds(1), null) }).Status);
        Assert.Equal(WalArchiveHealth.Failure, Judge(Facts with { Probe = new ProbeFacts(WalSegmentName.Parse(Last), null, "It did not arrive.") }).Status);
        Assert.Equal(WalArchiveHealth.Warning, Judge(Facts with { Probe = new ProbeFacts(null, null, "It may not.") }).Status);
    }

    [Fact]
    public void AReceiverThatDiedIsSeenThoughAStandbyStreamsOn()
    {
        WalArchiveFacts off = Streaming([Slot("standby1"), Slot("pgbackup", active: false)], [Receiver(0, "standby1")]);
        WalVerdict dead = Judge(off);
        Assert.Equal(WalArchiveHealth.Failure, dead.Status);
        Assert.Contains("nobody is connected with the slot 'pgbackup'", dead.Reasons[0], StringComparison.Ordinal);
        // A slot that is left over beside a receiver that runs.
        WalReceiverStatus own = Receiver(0, "pgbackup") with { Name = "pgbackup" };
        Assert.Equal(WalArchiveHealth.Warning, Judge(Streaming([Slot("pgbackup"), Slot("old", active: false)], [own])).Status);
        Assert.Equal(WalArchiveHealth.Ok, Judge(Streaming([Slot("pgbackup"), Slot("standby1")], [own])).Status);
        // Its slot was dropped, and its pieces are there.
        WalArchiveFacts dropped = Streaming([Slot("standby1")], [Receiver(0, "standby1")]);
        Assert.Equal(WalArchiveHealth.Failure, Judge(dropped with { Repository = dropped.Repository! with { Tail = Tail(0x123456) } }).Status);
    }

    [Fact]
    public void AStoreThatTakesNothingMoreIsSeenByTimeWhileTheReceiverIsConnected()
    {
        WalReceiverStatus own = Receiver(0, "pgbackup") with { Name = "pgbackup" };
        WalArchiveFacts facts = Streaming([Slot("pgbackup")], [own]);
        WalArchiveFacts Of(int length, TimeSpan redoAge, TimeSpan stored) => facts with
        {
            Server = facts.Server with { RedoLsn = new Lsn(0x9100000), RedoTime = Now - redoAge },
            Repository = facts.Repository! with { Tail = Tail(length) with { Modified = Now - stored } },
        };
        Assert.Equal(WalArchiveHealth.Failure, Judge(Of(0x1000, TimeSpan.FromMinutes(6), TimeSpan.FromHours(1))).Status);
        Assert.Equal(WalArchiveHealth.Warning, Judge(Of(0x1000, TimeSpan.FromMinutes(2), TimeSpan.FromHours(1))).Status);
        // Stored a moment ago, and it goes on.
        Assert.Equal(WalArchiveHealth.Ok, Judge(Of(0x1000, TimeSpan.FromMinutes(2), TimeSpan.FromSeconds(5))).Status);
        // A quiet server: nothing new for days, and nothing to store.
        Assert.Equal(WalArchiveHealth.Ok, Judge(Of(0x123456, TimeSpan.FromDays(2), TimeSpan.FromDays(2))).Status);
        // A segment that was finished long ago has not come.
        WalArchiveFacts finished = facts with
        {
            Server = facts.Server with { CurrentLsn = new Lsn(0xA000100), WalFiles = [new WalFileFacts(WalSegmentName.Parse("000000010000000000000009"), Now.AddMinutes(-7))] },
        };
        Assert.Contains("beyond that for 7 minutes", Assert.Single(Judge(finished).Reasons), StringComparison.Ordinal);
        Assert.Equal(WalArchiveHealth.Ok, WalArchiveJudge.Judge(finished, new WalArchiveThresholds { MaxAge = TimeSpan.FromMinutes(10) }).Status);
    }

    [Fact]
    public void PiecesAreWhatHasArrived()
    {
        WalArchiveFacts first = Streaming([Slot("pgbackup")], [Receiver(0, "pgbackup") with { Name = "pgbackup" }]);
        first = first with { Repository = first.Repository! with { Newest = null, Tail = Tail(0x123000) } };
        Assert.Equal(WalArchiveMethod.Streaming, first.Method);
        Assert.Equal(0x456, first.Lag);
        Assert.Equal(0, first.LagSegments);
        Assert.Equal(WalArchiveHealth.Ok, Judge(first).Status);
    }

    [Fact]
    public void AStandbyWhoseTimelineHasJustBegunIsAWarning()
    {
        WalArchiveFacts standby = With(s => s with { IsStandby = true, Timeline = new TimelineId(2), Archiver = new ArchiverFacts(0, null, null, 0, null, null, null) });
        standby = standby with { Repository = Archive with { Newest = null, TimelineStart = new Lsn(0x9000100) } };
        Assert.Equal(WalArchiveHealth.Warning, Judge(standby).Status);
        Assert.Equal(WalArchiveHealth.Failure, Judge(standby with { Repository = Archive with { Newest = null, TimelineStart = new Lsn(0x7000100) } }).Status);
    }

    [Fact]
    public void AHangInTheMiddleOfABacklogIsAFailure()
    {
        WalVerdict verdict = Judge(With(s => s with
        {
            Archiver = s.Archiver with { LastArchivedTime = Now.AddHours(-1) }, Ready = new ReadyFacts(20, Now.AddHours(-2), null),
        }));
        Assert.Equal(WalArchiveHealth.Failure, verdict.Status);
        Assert.Contains("Nothing was archived for 60 minutes", Assert.Single(verdict.Reasons), StringComparison.Ordinal);
    }

    [Fact]
    public void AnArchiverThatHasStoredNothingYetIsAWarning()
    {
        WalArchiveFacts nothing = With(s => s with { Archiver = new ArchiverFacts(0, null, null, 0, null, null, null) });
        nothing = nothing with { Repository = Archive with { HoldsLastArchived = null, Newest = null } };
        Assert.Equal(WalArchiveHealth.Warning, Judge(nothing).Status);
        Assert.Equal(WalArchiveHealth.Ok, Judge(nothing with { Server = nothing.Server with { CurrentLsn = new Lsn(0x1123456) } }).Status);
    }

    [Fact]
    public void AnArchiveTimeoutOfZeroIsANote()
    {
        WalVerdict verdict = Judge(With(s => s with { Settings = Settings(("archive_timeout", "0")) }));
        Assert.Equal(WalArchiveHealth.Ok, verdict.Status);
        Assert.Contains("archive_timeout", Assert.Single(verdict.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void ABurstOfSecondsIsNoDiskThatFillsUp()
    {
        WalArchiveFacts burst = With(s => s with { Ready = new ReadyFacts(3, Now.AddSeconds(-2), null) }) with { Disk = new DiskFacts(2L << 30, null), Growth = 50 << 20, IsGrowthBrief = true };
        Assert.Equal(WalArchiveHealth.Ok, Judge(burst).Status);
        WalVerdict behind = Judge(burst with { Server = burst.Server with { Ready = new ReadyFacts(30, Now.AddMinutes(-1), null) } });
        Assert.Equal(WalArchiveHealth.Warning, behind.Status);
        Assert.Contains(behind.Reasons, r => r.Contains("full in about", StringComparison.Ordinal));
    }

    /// <summary>Ok says nothing, everything else says why; and stricter thresholds never make a verdict better.</summary>
    [Fact]
    public void EveryVerdictHasItsReasonsAndStrictnessNeverHelps()
    {
        Gen<WalArchiveFacts> facts =
            from ready in Gen.Choose(0, 40)
            from minutes in Gen.Choose(0, 30)
            from failed in Gen.Choose(0, 120)
            from slot in Gen.Choose(0, 4)
            from free in Gen.Choose(0, 200)
            from growth in Gen.Choose(-5, 50)
            from hidden in Gen.Elements(true, false)
            from mode in Gen.Elements("on", "off", "always")
            from standby in Gen.Elements(true, false)
            from noRepository in Gen.Elements(true, false)
            select new WalArchiveFacts
            {
                Server = Server with
                {
                    IsStandby = standby,
                    Settings = Settings(("archive_mode", mode)),
                    Ready = hidden ? null : new ReadyFacts(ready, ready == 0 ? null : Now.AddMinutes(-minutes), null),
                    Archiver = Server.Archiver with { LastFailed = failed == 0 ? null : Last, LastFailedTime = failed == 0 ? null : Now.AddMinutes(-failed) },
                    Slots = slot == 0 ? [] : [Slot(lag: (long)slot << 29, active: slot % 2 == 0)],
                },
                Repository = noRepository ? null : Archive,
                Disk = new DiskFacts((long)free << 27, null),
                Probe = null,
                Growth = (long)growth << 18,
            };
        var strict = new WalArchiveThresholds { MaxBacklog = 3, MaxAge = TimeSpan.FromMinutes(1), MaxSlotLag = new(1), MinFreeSpace = new(1L << 33), FailureWindow = TimeSpan.FromDays(1) };
        Prop.ForAll(facts.ToArbitrary(), f =>
        {
            WalVerdict mild = Judge(f), hard = WalArchiveJudge.Judge(f, strict);
            return (mild.Status == WalArchiveHealth.Ok) == (mild.Reasons.Length == 0)
                && (hard.Status == WalArchiveHealth.Ok) == (hard.Reasons.Length == 0)
                && hard.Status >= mild.Status
                && mild.Reasons.Concat(hard.Reasons).All(r => r.EndsWith('.') || r.EndsWith(')'));
        }).QuickCheckThrowOnFailure();
    }

    private static WalVerdict Judge(WalArchiveFacts facts) => WalArchiveJudge.Judge(facts, new WalArchiveThresholds());

    private static WalTail Tail(int length) => new(WalSamples.Cluster, WalSegmentName.Parse("000000010000000000000009"), length, length, Now);

    private static WalArchiveFacts Streaming(IReadOnlyList<WalSlotStatus> slots, IReadOnlyList<WalReceiverStatus> receivers) => Facts with
    {
        Server = Server with { Settings = Settings(("archive_mode", "off")), Archiver = new ArchiverFacts(0, null, null, 0, null, null, null), Slots = slots, Receivers = receivers },
        Repository = Archive with { HoldsLastArchived = null },
    };

    private static WalArchiveFacts With(Func<ServerFacts, ServerFacts> change) => Facts with { Server = change(Server) };
}
