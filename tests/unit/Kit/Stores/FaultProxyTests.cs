using System.Net;
using System.Net.Sockets;
using PgBackup.TestServers.Proxy;

namespace PgBackup.Tests.Kit.Stores;

/// <summary>The proxy by itself, before a server that is made of bytes.</summary>
public sealed class FaultProxyTests
{
    [Fact]
    public async Task AnAnswerInChunksArrivesAsItWasSentHoweverItsBytesAreCut()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        Task serving = ServeAsync(listener);
        await using var proxy = FaultProxy.Start(new Uri($"http://{listener.LocalEndpoint}"));
        using HttpClient client = new();
        Assert.Equal("0123456789abcdef", await client.GetStringAsync(new Uri(proxy.Endpoint, "/bucket/key")));
        await serving;
    }

    private static async Task ServeAsync(TcpListener listener)
    {
        using Socket socket = await listener.AcceptSocketAsync();
        socket.NoDelay = true;
        await socket.ReceiveAsync(new byte[4096]);
        foreach (string piece in (string[])["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n", "01234567", "\r\n8\r\n89abcdef", "\r\n", "0\r\n", "\r\n"])
        {
            await socket.SendAsync(System.Text.Encoding.ASCII.GetBytes(piece));
            await Task.Delay(30);
        }
    }
}
