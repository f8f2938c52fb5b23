using System.Globalization;
using System.Management.Automation;

namespace PgBackup.PowerShell.Pipeline;

/// <summary>
/// Turns the engine's frequent reports into progress records: none in the first two seconds, then at most four a second, with
/// percent, rate and time left, and one record at the end that takes the bar away. Reports come from any thread; the rest is the pipeline's.
/// </summary>
internal sealed class ProgressDisplay(TimeProvider clock) : IProgress<OperationProgress>
{
    internal static readonly TimeSpan Delay = TimeSpan.FromSeconds(2);
    internal static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    private static int s_lastActivityId;

    private readonly Lock _lock = new();
    private readonly long _begin = clock.GetTimestamp();
    private readonly int _activityId = Interlocked.Increment(ref s_lastActivityId);
    private OperationProgress? _latest;
    private OperationProgress _phaseBegin;
    private long _phaseBeginTime;
    private long? _lastShown;

    /// <inheritdoc/>
    public void Report(OperationProgress value)
    {
        lock (_lock)
        {
            // A rate belongs to one phase: what went before has another speed.
            if (_latest is not { } before || before.Activity != value.Activity || before.Phase != value.Phase || value.Done < before.Done)
            {
                _phaseBegin = value;
                _phaseBeginTime = clock.GetTimestamp();
            }
            _latest = value;
        }
    }

    /// <summary>The record to write now, or null when it is not time for one.</summary>
    public ProgressRecord? Due()
    {
        if (clock.GetElapsedTime(_begin) < Delay || (_lastShown is { } last && clock.GetElapsedTime(last) < Interval))
            return null;
        OperationProgress now;
        long done;
        TimeSpan elapsed;
        lock (_lock)
        {
            if (_latest is not { } latest)
                return null;
            now = latest;
            done = now.Done - _phaseBegin.Done;
            elapsed = clock.GetElapsedTime(_phaseBeginTime);
        }
        _lastShown = clock.GetTimestamp();
        double rate = elapsed > TimeSpan.Zero ? done / elapsed.TotalSeconds : 0;
        ProgressRecord record = new(_activityId, NotEmpty(now.Activity), Describe(now, rate)) { CurrentOperation = now.Phase };
        if (now.Total is > 0 and { } total)
        {
            record.PercentComplete = (int)Math.Clamp(now.Done * 100.0 / total, 0, 100);
            if (rate > 0)
                record.SecondsRemaining = (int)Math.Min(int.MaxValue, Math.Ceiling(Math.Max(0, total - now.Done) / rate));
        }
        return record;
    }

    /// <summary>The record that takes the bar away, or null when there is none.</summary>
    public ProgressRecord? Completed() => _lastShown is null
        ? null
        : new ProgressRecord(_activityId, NotEmpty(_latest?.Activity), "Done") { RecordType = ProgressRecordType.Completed };

    // The usual view shows the activity and this text alone: what is counted says what is done, except for bytes.
    private static string Describe(OperationProgress now, double rate) => now switch
    {
        { Done: 0, Total: null } => NotEmpty(now.Phase),
        { Unit: ProgressUnit.Bytes } => $"{new ByteSize(now.Done)}{(now.Total is { } total ? $" of {new ByteSize(total)}" : "")}, {new ByteSize((long)rate)}/s",
        _ => string.Create(CultureInfo.InvariantCulture, $"{now.Phase}, {now.Done}{(now.Total is { } total ? $" of {total}" : "")}"),
    };

    // PowerShell refuses a record without an activity.
    private static string NotEmpty(string? activity) => string.IsNullOrEmpty(activity) ? "PgBackup" : activity;
}
