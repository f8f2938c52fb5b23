using System.Text.RegularExpressions;

namespace PgBackup.Logical.Dump;

/// <summary>Tells how far a dump is: the bytes that came, and the tables that pg_dump has begun.</summary>
internal sealed partial class DumpWatch(DumpOptions options, int tables, IOperationLog log, IProgress<OperationProgress> progress)
{
    private readonly string _activity = $"Dumping {options.Subject}";
    private long _bytes;
    private int _begun;
    private volatile string _phase = "Reading the schema";

    /// <summary>Takes a line of pg_dump's standard error.</summary>
    public void Line(string line)
    {
        if (line.Contains(" warning: ", StringComparison.Ordinal))
            log.Warning(line);
        else
            log.Verbose(line);
        if (Contents().Match(line) is not { Success: true } match)
            return;
        _phase = $"Table {Interlocked.Increment(ref _begun)} of {tables}: {match.Groups[1].Value}";
        Report();
    }

    /// <summary>Counts bytes.</summary>
    public void Count(int bytes)
    {
        Interlocked.Add(ref _bytes, bytes);
        Report();
    }

    /// <summary>Begins a phase, with its bytes counted anew.</summary>
    public void Begin(string phase)
    {
        _phase = phase;
        Interlocked.Exchange(ref _bytes, 0);
        Report();
    }

    private void Report() => progress.Report(new OperationProgress(_activity, _phase, Interlocked.Read(ref _bytes), null));

    [GeneratedRegex("dumping contents of table \"(.+)\"\\z")]
    private static partial Regex Contents();
}
