using System.Net;
using System.Net.Sockets;

namespace PgBackup.Tests.Backup.Remote;

/// <summary>Stands before a server and does to what it sends on a connection what a test says: change it, or end it.</summary>
internal sealed class TamperingProxy : IAsyncDisposable
{
    /// <summary>Told the bytes and how many came before them on the connection; false ends it.</summary>
    public delegate bool Tamper(Span<byte> bytes, long before);

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly int[] _upstreams;
    private readonly Tamper _tamper;
    private readonly Task _accepting;
    private readonly List<Task> _serving = [];

    public TamperingProxy(int upstream, Tamper tamper)
        : this([upstream], tamper)
    {
    }

    /// <summary>Gives each connection to the next of several servers.</summary>
    public TamperingProxy(int[] upstreams, Tamper tamper)
    {
        _upstreams = upstreams;
        _tamper = tamper;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.WhenAll(_serving).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
            _serving.Add(ServeAsync(await _listener.AcceptSocketAsync(_stop.Token), _upstreams[_serving.Count % _upstreams.Length]));
    }

    private async Task ServeAsync(Socket client, int upstream)
    {
        using (client)
        {
            using Socket server = new(SocketType.Stream, ProtocolType.Tcp);
            await server.ConnectAsync(IPAddress.Loopback, upstream, _stop.Token);
            await Task.WhenAny(PumpAsync(client, server, null), PumpAsync(server, client, _tamper));
        }
    }

    private async Task PumpAsync(Socket from, Socket to, Tamper? tamper)
    {
        byte[] buffer = new byte[64 << 10];
        long before = 0;
        while (await from.ReceiveAsync(buffer, _stop.Token) is > 0 and int count)
        {
            if (tamper is not null && !tamper(buffer.AsSpan(0, count), before))
                return;
            before += count;
            for (int sent = 0; sent < count;)
                sent += await to.SendAsync(buffer.AsMemory(sent, count - sent), _stop.Token);
        }
    }
}
