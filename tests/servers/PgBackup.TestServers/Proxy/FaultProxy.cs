using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace PgBackup.TestServers.Proxy;

/// <summary>
/// Stands before an S3 server, passes every request on as it came (with its host, which signatures cover), counts them, and does to some what networks and
/// stores do.
/// </summary>
public sealed class FaultProxy : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<ProxyConnection, Task> _connections = new();
    private readonly ConcurrentQueue<ProxyRequest> _requests = new();
    private readonly ConcurrentDictionary<string, long> _written = new(StringComparer.Ordinal);
    private readonly int _port;
    private TcpListener _listener;
    private Task _accepting;
    private volatile FaultRule[] _rules = [];
    private int _count;
    private int _inFlight;
    private int _mostInFlight;

    private FaultProxy(Uri upstream)
    {
        Upstream = upstream;
        _listener = new TcpListener(IPAddress.Loopback, 0);
        _listener.Start();
        _port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        Endpoint = new Uri($"http://127.0.0.1:{_port}");
        _accepting = AcceptAsync(_listener);
    }

    /// <summary>Where it listens.</summary>
    public Uri Endpoint { get; }

    /// <summary>The server behind it.</summary>
    public Uri Upstream { get; }

    /// <summary>All requests so far, in the order in which they came.</summary>
    public IReadOnlyList<ProxyRequest> Requests => [.. _requests];

    /// <summary>The largest number of requests that were under way at once.</summary>
    public int MostInFlight => Volatile.Read(ref _mostInFlight);

    /// <summary>Starts one before a server that answers HTTP.</summary>
    public static FaultProxy Start(Uri upstream) => new(upstream);

    /// <summary>How many requests of a kind came so far.</summary>
    public int Count(S3Operation operation) => _requests.Count(r => r.Operation == operation);

    /// <summary>Adds a fault for the requests that the condition names: all, or some times after some were spared.</summary>
    public FaultRule Add(Func<ProxyRequest, bool> applies, Fault fault, int skip = 0, int? times = null)
    {
        FaultRule rule = new(applies, fault) { Skip = skip, Times = times };
        lock (_requests)
            _rules = [.. _rules, rule];
        return rule;
    }

    /// <summary>Adds a fault for an operation.</summary>
    public FaultRule Add(S3Operation operation, Fault fault, int skip = 0, int? times = null) => Add(r => r.Operation == operation, fault, skip, times);

    /// <summary>Takes all faults away; the requests that are counted stay.</summary>
    public void Clear() => _rules = [];

    /// <summary>Forgets the requests that were counted.</summary>
    public void ResetCounts()
    {
        _requests.Clear();
        Volatile.Write(ref _mostInFlight, 0);
    }

    /// <summary>Refuses connections, and resets those that there are, until <see cref="Accept"/>.</summary>
    public async Task RefuseAsync()
    {
        _listener.Stop();
        await _accepting;
        foreach (ProxyConnection connection in _connections.Keys)
            connection.Dispose();
    }

    /// <summary>Takes connections again.</summary>
    public void Accept()
    {
        _listener = new TcpListener(IPAddress.Loopback, _port);
        _listener.Start();
        _accepting = AcceptAsync(_listener);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_connections.Values);
        _stop.Dispose();
    }

    internal Begun Begin(HttpHead head)
    {
        // Who uses us as a proxy names the server as well.
        head.StartLine = head.StartLine.Replace($" {Upstream.GetLeftPart(UriPartial.Authority)}/", " /", StringComparison.Ordinal);
        ProxyRequest request = new(head, Interlocked.Increment(ref _count));
        _requests.Enqueue(request);
        int now = Interlocked.Increment(ref _inFlight);
        for (int most = MostInFlight; now > most; most = MostInFlight)
            Interlocked.CompareExchange(ref _mostInFlight, now, most);
        if (request.Operation is S3Operation.PutObject or S3Operation.CopyObject or S3Operation.CompleteUpload)
            _written[KeyOf(request)] = request.Started;
        return new Begun(request, [.. _rules.Where(rule => rule.Takes(request)).Select(rule => rule.Fault)]);
    }

    internal void End() => Interlocked.Decrement(ref _inFlight);

    internal HashSet<string> WrittenSince(TimeSpan age) =>
        [.. _written.Where(entry => Stopwatch.GetElapsedTime(entry.Value) < age).Select(entry => entry.Key)];

    private static string KeyOf(ProxyRequest request)
    {
        string path = request.Path.TrimStart('/');
        return Uri.UnescapeDataString(path[(path.IndexOf('/') + 1)..]);
    }

    private async Task AcceptAsync(TcpListener listener)
    {
        while (true)
        {
            Socket socket;
            try
            {
                socket = await listener.AcceptSocketAsync(_stop.Token);
            }
            catch (Exception error) when (error is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return; // Told to stop.
            }
            socket.NoDelay = true;
            ProxyConnection connection = new(this, new Wire(socket), _stop.Token);
            _connections[connection] = ServeAsync(connection);
        }
    }

    private async Task ServeAsync(ProxyConnection connection)
    {
        await Task.Yield();
        try
        {
            await connection.RunAsync();
        }
        catch (ObjectDisposedException)
        {
            // Reset from outside.
        }
        finally
        {
            connection.Dispose();
            _connections.TryRemove(connection, out _);
        }
    }

    internal readonly record struct Begun(ProxyRequest Request, Fault[] Faults);
}
