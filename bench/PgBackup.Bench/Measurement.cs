using System.Diagnostics;
using System.Globalization;
using PgBackup.Tests.Kit;

namespace PgBackup.Bench;

/// <summary>What GNU time says of a process and those of its children that it waited for.</summary>
/// <param name="Wall">From start to end.</param>
/// <param name="Processor">User and system time of all of them.</param>
/// <param name="PeakBytes">The largest resident set of any single one of them; not a sum.</param>
internal sealed record Measurement(TimeSpan Wall, TimeSpan Processor, long PeakBytes)
{
    /// <summary>Two steps, one after the other.</summary>
    public static Measurement operator +(Measurement first, Measurement second) =>
        new(first.Wall + second.Wall, first.Processor + second.Processor, Math.Max(first.PeakBytes, second.PeakBytes));
}

/// <summary>Runs whole processes as the server's account under GNU time.</summary>
internal sealed class Stopwatches(string timeProgram, string folder)
{
    /// <summary>More environment for everything that is run.</summary>
    public Dictionary<string, string> Environment { get; } = [];

    /// <summary>Runs a program to its end, which must be a good one; returns what it took and what it printed.</summary>
    public Task<(Measurement Took, string Output)> RunAsync(CancellationToken cancellationToken, string program, params string[] arguments) =>
        RunAsync(Environment, cancellationToken, program, arguments);

    /// <summary>Runs a program to its end, which must be a good one, in more environment than the others; returns what it took and what it printed.</summary>
    public async Task<(Measurement Took, string Output)> RunAsync(
        IReadOnlyDictionary<string, string> environment, CancellationToken cancellationToken, string program, params string[] arguments)
    {
        string report = Path.Combine(folder, "time.txt");
        ProcessStartInfo start = ServerAccount.Current.StartInfo(timeProgram, ["-f", "%e %U %S %M", "-o", report, program, .. arguments]);
        Prepare(start, environment);
        long began = Stopwatch.GetTimestamp();
        ToolResult result = await ToolProcess.RunAsync(start, cancellationToken);
        TimeSpan wall = Stopwatch.GetElapsedTime(began);
        result.EnsureSuccess();
        string[] fields = (await File.ReadAllLinesAsync(report, cancellationToken))[^1].Split(' ');
        double Number(int field) => double.Parse(fields[field], CultureInfo.InvariantCulture);
        return (new Measurement(wall, TimeSpan.FromSeconds(Number(1) + Number(2)), (long)Number(3) * 1024), result.Output);
    }

    /// <summary>Gives a process the environment of everything that is run, and more of its own.</summary>
    public void Prepare(ProcessStartInfo start, IReadOnlyDictionary<string, string> environment)
    {
        foreach ((string name, string value) in Environment.Concat(environment))
            start.Environment[name] = value;
    }
}
