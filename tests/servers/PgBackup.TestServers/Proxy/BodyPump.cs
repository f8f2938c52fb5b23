using System.Diagnostics;

namespace PgBackup.TestServers.Proxy;

/// <summary>Passes a body on, with what befalls it on the way.</summary>
internal sealed class BodyPump
{
    /// <summary>After how many bytes it stops; null: at the end.</summary>
    public long? StopAfter { get; init; }

    /// <summary>The byte of which one bit is turned over; null for none.</summary>
    public long? DamageAt { get; init; }

    /// <summary>The most bytes in a second; null for as many as come.</summary>
    public long? BytesPerSecond { get; init; }

    /// <summary>
    /// Passes it on. False when it stopped before the end. With <paramref name="drain"/> the rest is read although the target takes no more:
    /// a server that answers early hangs up, and its answer is what counts.
    /// </summary>
    public async Task<bool> RunAsync(HttpBody body, Wire target, bool chunked, bool drain, CancellationToken cancellationToken)
    {
        long passed = 0;
        bool open = true;
        var clock = Stopwatch.StartNew();
        while (true)
        {
            if (StopAfter is { } stop && passed >= stop)
                return false;
            Memory<byte> bytes = await body.ReadAsync(cancellationToken);
            if (bytes.IsEmpty)
                break;
            if (StopAfter is { } most && passed + bytes.Length > most)
                bytes = bytes[..(int)(most - passed)];
            if (DamageAt is { } at && at >= passed && at < passed + bytes.Length)
                bytes.Span[(int)(at - passed)] ^= 1;
            passed += bytes.Length;
            if (BytesPerSecond is { } rate && TimeSpan.FromSeconds((double)passed / rate) - clock.Elapsed is { Ticks: > 0 } early)
                await Task.Delay(early, cancellationToken);
            open = open && await TryWriteAsync(target, chunked ? HttpBody.Chunk(bytes.Span) : bytes, drain, cancellationToken);
        }
        if (chunked && open)
            await TryWriteAsync(target, body.LastChunk(), drain, cancellationToken);
        return true;
    }

    private static async Task<bool> TryWriteAsync(Wire target, ReadOnlyMemory<byte> bytes, bool mayFail, CancellationToken cancellationToken)
    {
        try
        {
            await target.WriteAsync(bytes, cancellationToken);
            return true;
        }
        catch (System.Net.Sockets.SocketException) when (mayFail)
        {
            return false;
        }
    }
}
