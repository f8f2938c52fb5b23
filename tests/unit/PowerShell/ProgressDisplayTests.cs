using System.Management.Automation;
using PgBackup.PowerShell.Pipeline;

namespace PgBackup.Tests.PowerShell;

public sealed class ProgressDisplayTests
{
    private readonly ManualClock _clock = new();

    [Fact]
    public void NothingInTheFirstTwoSecondsAndNothingToTakeAway()
    {
        ProgressDisplay display = new(_clock);
        display.Report(new OperationProgress("Backing up", "Reading", 1, 100));
        _clock.Advance(1.9);
        Assert.Null(display.Due());
        Assert.Null(display.Completed());
    }

    [Fact]
    public void PercentRateAndTimeLeft()
    {
        ProgressDisplay display = new(_clock);
        display.Report(new OperationProgress("Backing up", "Reading", 0, 100 << 20));
        _clock.Advance(5);
        display.Report(new OperationProgress("Backing up", "Reading", 25 << 20, 100 << 20));
        ProgressRecord record = display.Due()!;
        Assert.Equal("Backing up", record.Activity);
        Assert.Equal("Reading", record.CurrentOperation);
        Assert.Equal(25, record.PercentComplete);
        Assert.Equal(15, record.SecondsRemaining);
        Assert.Equal("25.0 MB of 100 MB, 5.00 MB/s", record.StatusDescription);
        Assert.Equal(ProgressRecordType.Completed, display.Completed()!.RecordType);
        Assert.Equal(record.ActivityId, display.Completed()!.ActivityId);
    }

    [Fact]
    public void ARateBelongsToAPhase()
    {
        ProgressDisplay display = new(_clock);
        display.Report(new OperationProgress("Restoring", "Fetching", 0, 1000, ProgressUnit.Items));
        _clock.Advance(10);
        display.Report(new OperationProgress("Restoring", "Syncing", 0, 100, ProgressUnit.Items));
        _clock.Advance(1);
        display.Report(new OperationProgress("Restoring", "Syncing", 10, 100, ProgressUnit.Items));
        ProgressRecord record = display.Due()!;
        Assert.Equal("Syncing, 10 of 100", record.StatusDescription);
        Assert.Equal(9, record.SecondsRemaining);
    }

    [Fact]
    public void AtMostFourASecond()
    {
        ProgressDisplay display = new(_clock);
        int shown = 0;
        for (int i = 0; i < 1000; i++)
        {
            display.Report(new OperationProgress("Backing up", "Reading", i, null));
            _clock.Advance(0.01);
            shown += display.Due() is null ? 0 : 1;
        }
        Assert.InRange(shown, 30, 33);
    }

    private sealed class ManualClock : TimeProvider
    {
        private long _now = 1;

        public override long TimestampFrequency => 1_000_000;

        public override long GetTimestamp() => _now;

        public void Advance(double seconds) => _now += (long)(seconds * TimestampFrequency);
    }
}
