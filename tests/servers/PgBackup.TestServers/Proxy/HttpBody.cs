using System.Globalization;
using System.Text;

namespace PgBackup.TestServers.Proxy;

/// <summary>The body of a message, read piece by piece in whatever way its head says that it is sent.</summary>
internal sealed class HttpBody
{
    private readonly Wire _wire;
    private readonly StringBuilder _trailers = new();
    private readonly bool _chunked;
    private readonly bool _untilEnd;
    private long _left;
    private bool _finished;
    private bool _owesLineEnd;

    private HttpBody(Wire wire, long left, bool chunked, bool untilEnd)
    {
        _wire = wire;
        _left = left;
        _chunked = chunked;
        _untilEnd = untilEnd;
    }

    /// <summary>True when the end of the body is the end of the connection.</summary>
    public bool EndsConnection => _untilEnd;

    public static HttpBody OfRequest(Wire wire, HttpHead head) => new(wire, head.ContentLength ?? 0, head.IsChunked, untilEnd: false);

    public static HttpBody OfAnswer(Wire wire, HttpHead head, string method)
    {
        bool none = method == "HEAD" || head.Status is 204 or 304 or < 200;
        return none ? new HttpBody(wire, 0, false, false) : new HttpBody(wire, head.ContentLength ?? 0, head.IsChunked, !head.IsChunked && head.ContentLength is null);
    }

    /// <summary>
    /// The next bytes, without the framing of chunks; empty at the end. Throws <see cref="IOException"/> when the connection ends before.
    /// </summary>
    public async ValueTask<Memory<byte>> ReadAsync(CancellationToken cancellationToken)
    {
        if (_untilEnd)
            return await _wire.ReadAsync(long.MaxValue, cancellationToken);
        if (_chunked && _left == 0 && !await BeginChunkAsync(cancellationToken))
            return default;
        if (_left == 0)
            return default;
        Memory<byte> bytes = await _wire.ReadAsync(_left, cancellationToken);
        if (bytes.IsEmpty)
            throw new IOException("The connection ended in the middle of a body.");
        _left -= bytes.Length;
        _owesLineEnd = _chunked && _left == 0; // Reading it now could overwrite these bytes: they lie in the wire's buffer.
        return bytes;
    }

    /// <summary>All of it.</summary>
    public async Task<byte[]> ReadAllAsync(CancellationToken cancellationToken)
    {
        using MemoryStream all = new();
        while (await ReadAsync(cancellationToken) is { IsEmpty: false } bytes)
            all.Write(bytes.Span);
        return all.ToArray();
    }

    /// <summary>What ends a message with chunks, with the headers that came behind this one.</summary>
    public byte[] LastChunk() => Encoding.Latin1.GetBytes($"0\r\n{_trailers}\r\n");

    /// <summary>The bytes as a message with chunks sends them.</summary>
    public static byte[] Chunk(ReadOnlySpan<byte> bytes) =>
        [.. Encoding.ASCII.GetBytes(bytes.Length.ToString("x", CultureInfo.InvariantCulture)), (byte)'\r', (byte)'\n', .. bytes, (byte)'\r', (byte)'\n'];

    private async ValueTask<bool> BeginChunkAsync(CancellationToken cancellationToken)
    {
        // A finished body is not read on: after the last chunk there is another message.
        if (_finished)
            return false;
        if (_owesLineEnd)
            await _wire.ReadLineAsync(cancellationToken);
        _owesLineEnd = false;
        string line = await _wire.ReadLineAsync(cancellationToken);
        int semicolon = line.IndexOf(';');
        _left = long.Parse(semicolon < 0 ? line : line[..semicolon], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        if (_left > 0)
            return true;
        _finished = true;
        while (await _wire.ReadLineAsync(cancellationToken) is { Length: > 0 } trailer)
            _trailers.Append(trailer).Append("\r\n");
        return false;
    }

}
