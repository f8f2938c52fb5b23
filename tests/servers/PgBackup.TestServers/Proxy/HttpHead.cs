using System.Globalization;
using System.Text;

namespace PgBackup.TestServers.Proxy;

/// <summary>The first line and the headers of a message of HTTP/1.1, kept as they came: signatures cover them.</summary>
internal sealed class HttpHead
{
    private readonly List<(string Name, string Value)> _headers = [];

    public HttpHead(string startLine) => StartLine = startLine;

    public string StartLine { get; set; }

    public long? ContentLength => this["Content-Length"] is { } text ? long.Parse(text, CultureInfo.InvariantCulture) : null;

    public bool IsChunked => string.Equals(this["Transfer-Encoding"], "chunked", StringComparison.OrdinalIgnoreCase);

    public bool Closes => string.Equals(this["Connection"], "close", StringComparison.OrdinalIgnoreCase);

    /// <summary>The status, of an answer.</summary>
    public int Status => int.Parse(StartLine.AsSpan(9, 3), CultureInfo.InvariantCulture);

    public string? this[string name]
    {
        get => _headers.Find(h => string.Equals(h.Name, name, StringComparison.OrdinalIgnoreCase)).Value;
        set
        {
            int at = _headers.FindIndex(h => string.Equals(h.Name, name, StringComparison.OrdinalIgnoreCase));
            if (at >= 0)
                _headers.RemoveAt(at);
            if (value is not null)
                _headers.Insert(at >= 0 ? at : _headers.Count, (name, value));
        }
    }

    /// <summary>Reads one; null when the connection ends before its first byte.</summary>
    public static async Task<HttpHead?> ReadAsync(Wire wire, CancellationToken cancellationToken)
    {
        if (await wire.TryReadLineAsync(cancellationToken) is not { } startLine)
            return null;
        HttpHead head = new(startLine);
        while (await wire.ReadLineAsync(cancellationToken) is { Length: > 0 } line)
        {
            int colon = line.IndexOf(':');
            head._headers.Add((line[..colon], line[(colon + 1)..].Trim()));
        }
        return head;
    }

    public byte[] ToBytes()
    {
        StringBuilder text = new(StartLine);
        text.Append("\r\n");
        foreach ((string name, string value) in _headers)
            text.Append(name).Append(": ").Append(value).Append("\r\n");
        return Encoding.Latin1.GetBytes(text.Append("\r\n").ToString());
    }
}
