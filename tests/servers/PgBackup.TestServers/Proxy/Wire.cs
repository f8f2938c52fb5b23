using System.Net;
using System.Net.Sockets;
using System.Text;

namespace PgBackup.TestServers.Proxy;

/// <summary>A connection, read through a buffer.</summary>
internal sealed class Wire(Socket socket) : IDisposable
{
    private const int LongestLine = 64 << 10;
    private readonly byte[] _buffer = new byte[64 << 10];
    private int _start;
    private int _end;

    /// <summary>False when the other side has closed it while nothing was under way.</summary>
    public bool IsAlive => _start < _end || !socket.Poll(0, SelectMode.SelectRead) || socket.Available > 0;

    public static async Task<Wire> ConnectAsync(Uri address, CancellationToken cancellationToken)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(IPAddress.Parse(address.Host), address.Port, cancellationToken);
            return new Wire(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>The bytes that are there, at least one and at most <paramref name="most"/>; empty at the end of the connection.</summary>
    public async ValueTask<Memory<byte>> ReadAsync(long most, CancellationToken cancellationToken)
    {
        if (_start == _end)
        {
            _start = 0;
            _end = await socket.ReceiveAsync(_buffer.AsMemory(), cancellationToken);
        }
        int count = (int)Math.Min(most, _end - _start);
        Memory<byte> bytes = _buffer.AsMemory(_start, count);
        _start += count;
        return bytes;
    }

    /// <summary>A line without its end; null at the end of the connection.</summary>
    public async ValueTask<string?> TryReadLineAsync(CancellationToken cancellationToken)
    {
        StringBuilder line = new();
        while (true)
        {
            Memory<byte> next = await ReadAsync(1, cancellationToken);
            if (next.IsEmpty)
                return line.Length == 0 ? null : throw new IOException("The connection ended in the middle of a line.");
            char c = (char)next.Span[0];
            if (c == '\n')
                return line.ToString().TrimEnd('\r');
            if (line.Append(c).Length > LongestLine)
                throw new IOException("A line is too long.");
        }
    }

    /// <summary>A line without its end; throws at the end of the connection.</summary>
    public async ValueTask<string> ReadLineAsync(CancellationToken cancellationToken) =>
        await TryReadLineAsync(cancellationToken) ?? throw new IOException("The connection ended before its message.");

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (!bytes.IsEmpty)
            bytes = bytes[await socket.SendAsync(bytes, cancellationToken)..];
    }

    /// <summary>Ends the connection so that the other side sees a reset, whatever is under way.</summary>
    public void Reset()
    {
        socket.LingerState = new LingerOption(enable: true, seconds: 0);
        socket.Close();
    }

    public void Dispose() => socket.Dispose();
}
