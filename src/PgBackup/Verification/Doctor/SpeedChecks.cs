using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using PgBackup.Storage;

namespace PgBackup.Verification.Doctor;

/// <summary>How long requests wait, and how fast bytes move.</summary>
internal static class SpeedChecks
{
    private const int Requests = 10;
    private const int Block = 1 << 20;

    // At this speed a WAL segment of 16 MB takes a quarter of a minute.
    private const double SlowBytesPerSecond = 1 << 20;

    private static readonly TimeSpan s_slowRequest = TimeSpan.FromMilliseconds(250);

    /// <summary>The median of some small requests, one after another.</summary>
    public static async Task<CheckFinding> LatencyAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        if (await ReadChecks.SubjectAsync(context, cancellationToken).ConfigureAwait(false) is not { } subject)
            return CheckFinding.Skipped("There is no object to ask for yet, and none was written.");
        (TimeSpan stat, TimeSpan slowestStat) = await MedianAsync(() => context.Store.StatAsync(subject.Key, cancellationToken)).ConfigureAwait(false);
        (TimeSpan get, TimeSpan slowestGet) = await MedianAsync(() => context.Store.TryReadAllAsync(subject.Key, cancellationToken)).ConfigureAwait(false);
        string message = $"A question takes {Milliseconds(stat)}, a small read {Milliseconds(get)} (median of {Requests}; slowest {Milliseconds(slowestStat > slowestGet ? slowestStat : slowestGet)}).";
        return get < s_slowRequest
            ? CheckFinding.Passed(message)
            : CheckFinding.Warning(message, "Each WAL segment and each part waits so long. Use a store or an endpoint that is nearer, and look at what is on the way (proxy, VPN).");
    }

    /// <summary>Sends bytes that do not compress and reads them back, each direction for a bounded time.</summary>
    public static async Task<CheckFinding> ThroughputAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        if (!await DeleteChecks.CanDeleteAsync(context, cancellationToken).ConfigureAwait(false))
            return CheckFinding.Skipped($"Not tried: what cannot be deleted again would stay, up to {new ByteSize(context.Options.ThroughputBytes)} of it.");
        string key = context.Probes.Add("throughput");
        (long sent, TimeSpan sending) = await SendAsync(context, key, cancellationToken).ConfigureAwait(false);
        (long received, TimeSpan receiving) = await ReceiveAsync(context, key, cancellationToken).ConfigureAwait(false);
        double up = sent / sending.TotalSeconds, down = received / receiving.TotalSeconds;
        // Nothing short of another machine's disk is measured by reading back at once what was written to a folder.
        string origin = context.Settings.Storage is DirectorySettings ? ", from this machine's memory" : "";
        string message = $"{new ByteSize(sent)} went there at {new ByteSize((long)up)}/s and came back at {new ByteSize((long)down)}/s{origin}.";
        return up >= SlowBytesPerSecond && down >= SlowBytesPerSecond
            ? CheckFinding.Passed(message)
            : CheckFinding.Warning(message, "The server may make WAL faster than this stores it. Look at the network between here and the store, and at limits that the store sets.");
    }

    private static async Task<(long Bytes, TimeSpan Time)> SendAsync(DoctorContext context, string key, CancellationToken cancellationToken)
    {
        byte[] block = RandomNumberGenerator.GetBytes(Block);
        long start = Stopwatch.GetTimestamp(), sent = 0;
        ObjectWriter writer = await context.Store.CreateAsync(key, PutCondition.None, cancellationToken).ConfigureAwait(false);
        await using (writer.ConfigureAwait(false))
        {
            while (sent < context.Options.ThroughputBytes && (sent == 0 || Stopwatch.GetElapsedTime(start) < context.Options.ThroughputTime))
            {
                await writer.WriteAsync(block, cancellationToken).ConfigureAwait(false);
                sent += block.Length;
            }
            await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
        }
        return (sent, Stopwatch.GetElapsedTime(start));
    }

    private static async Task<(long Bytes, TimeSpan Time)> ReceiveAsync(DoctorContext context, string key, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Block);
        try
        {
            long start = Stopwatch.GetTimestamp(), received = 0;
            Stream source = await context.Store.OpenReadAsync(key, cancellationToken: cancellationToken).ConfigureAwait(false);
            await using (source.ConfigureAwait(false))
            {
                int read;
                do
                {
                    read = await source.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
                    received += read;
                }
                while (read > 0 && Stopwatch.GetElapsedTime(start) < context.Options.ThroughputTime);
                return (received, Stopwatch.GetElapsedTime(start));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task<(TimeSpan Median, TimeSpan Slowest)> MedianAsync(Func<Task> request)
    {
        var times = new TimeSpan[Requests];
        for (int i = 0; i < Requests; i++)
        {
            long start = Stopwatch.GetTimestamp();
            await request().ConfigureAwait(false);
            times[i] = Stopwatch.GetElapsedTime(start);
        }
        Array.Sort(times);
        return ((times[(Requests - 1) / 2] + times[Requests / 2]) / 2, times[^1]);
    }

    private static string Milliseconds(TimeSpan time) => time.TotalMilliseconds < 0.1
        ? "less than 0.1 ms"
        : string.Create(CultureInfo.InvariantCulture, $"{(time.TotalMilliseconds < 10 ? Math.Round(time.TotalMilliseconds, 1) : Math.Round(time.TotalMilliseconds))} ms");
}
