using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace PgBackup.Restore.Starting;

/// <summary>What a server's log says of its recovery (the messages of xlogrecovery.c and xlog.c, untranslated).</summary>
internal sealed partial class RecoveryLog(string path, long offset)
{
    private const int KeptFailures = 4;
    private readonly List<string> _failures = [];
    private long _position = offset;

    /// <summary>The end of what was replayed.</summary>
    public Lsn? RedoDone { get; private set; }

    /// <summary>When the last transaction that was replayed ended.</summary>
    public DateTimeOffset? LastTransaction { get; private set; }

    /// <summary>The new timeline.</summary>
    public TimelineId? NewTimeline { get; private set; }

    /// <summary>Whether it waits at the target.</summary>
    public bool IsPaused { get; private set; }

    /// <summary>Whether it shuts down at the target.</summary>
    public bool IsShuttingDown { get; private set; }

    /// <summary>Whether it stopped at the target, not merely at the log's end.</summary>
    public bool StoppedAtTarget { get; private set; }

    /// <summary>Whether it cannot go on, because the server that wrote the WAL had more of a setting that a standby checks.</summary>
    public bool NeedsLargerSettings { get; private set; }

    /// <summary>The last lines that tell of failure.</summary>
    public string Failures => string.Join(" | ", _failures);

    /// <summary>Reads what was logged since the last time; an unfinished line is left for the next.</summary>
    public void Update()
    {
        if (!File.Exists(path))
            return;
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        byte[] buffer = new byte[64 * 1024];
        int read;
        file.Position = Math.Min(_position, file.Length);
        while ((read = file.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false)) > 0)
        {
            int end = buffer.AsSpan(0, read).LastIndexOf((byte)'\n') + 1;
            if (end == 0 && read < buffer.Length)
                return;
            end = end == 0 ? read : end; // A line longer than any message of recovery.
            foreach (string line in Encoding.UTF8.GetString(buffer, 0, end).Split('\n'))
                Take(line);
            _position += end;
            file.Position = _position;
        }
    }

    private void Take(string line)
    {
        // From 14 on it waits or ends, before it ends with the second.
        NeedsLargerSettings |= line.Contains("insufficient parameter settings", StringComparison.Ordinal) || line.Contains("hot standby is not possible because", StringComparison.Ordinal);
        if (line.Contains("FATAL:  ", StringComparison.Ordinal) || line.Contains("PANIC:  ", StringComparison.Ordinal) || line.Contains("HINT:  ", StringComparison.Ordinal)
            || line.Contains("could not ", StringComparison.Ordinal))
        {
            if (line.Contains("the database system is", StringComparison.Ordinal))
                return; // Somebody tried to connect.
            _failures.Add(line.Trim());
            if (_failures.Count > KeptFailures)
                _failures.RemoveAt(0);
        }
        else if (RedoDonePattern().Match(line) is { Success: true } redo)
        {
            RedoDone = Lsn.Parse(redo.Groups[1].Value);
        }
        else if (LastTransactionPattern().Match(line) is { Success: true } last
            && DateTime.TryParse(last.Groups[1].ValueSpan, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out DateTime time))
        {
            LastTransaction = new DateTimeOffset(time, TimeSpan.Zero);
        }
        else if (NewTimelinePattern().Match(line) is { Success: true } timeline)
        {
            NewTimeline = TimelineId.Parse(timeline.Groups[1].Value);
        }
        StoppedAtTarget |= line.Contains("recovery stopping ", StringComparison.Ordinal);
        IsPaused |= line.Contains("pausing at the end of recovery", StringComparison.Ordinal);
        IsShuttingDown |= line.Contains("shutting down", StringComparison.Ordinal) || line.Contains("shutdown at recovery target", StringComparison.Ordinal);
    }

    [GeneratedRegex(@"redo done at ([0-9A-F]+/[0-9A-F]+)", RegexOptions.CultureInvariant)]
    private static partial Regex RedoDonePattern();

    [GeneratedRegex(@"last completed transaction was at log time ([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:.]+)", RegexOptions.CultureInvariant)]
    private static partial Regex LastTransactionPattern();

    [GeneratedRegex(@"selected new timeline ID: ([0-9]+)", RegexOptions.CultureInvariant)]
    private static partial Regex NewTimelinePattern();
}
