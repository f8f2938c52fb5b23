using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using PgBackup.Postgres.Server;

namespace PgBackup.Tests.Postgres.Replication;

/// <summary>What answers where a server should be, and does what no PostgreSQL would: says its lines, whatever is asked.</summary>
internal sealed class ScriptedServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _serving;

    /// <summary>Answers each message of the client with the next of these.</summary>
    public ScriptedServer(params byte[][] answers)
    {
        _listener.Start();
        _serving = ServeAsync(answers);
    }

    public ServerConnectionSettings Settings => new()
    {
        HostName = "127.0.0.1",
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port,
        UserName = "backup",
        Password = "pencil",
        SslMode = "Disable",
        ConnectionString = "Timeout=2",
    };

    public static byte[] Message(char type, ReadOnlySpan<byte> body)
    {
        byte[] message = new byte[5 + body.Length];
        message[0] = (byte)type;
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(1), body.Length + 4);
        body.CopyTo(message.AsSpan(5));
        return message;
    }

    public static byte[] Authentication(int code, string text = "")
    {
        byte[] body = new byte[4 + Encoding.UTF8.GetByteCount(text)];
        BinaryPrimitives.WriteInt32BigEndian(body, code);
        Encoding.UTF8.GetBytes(text, body.AsSpan(4));
        return Message('R', body);
    }

    /// <summary>A result of one row.</summary>
    public static byte[] Rows(params string[] columns)
    {
        List<byte> row = [0, (byte)columns.Length];
        foreach (string column in columns)
            row.AddRange([0, 0, 0, (byte)column.Length, .. Encoding.ASCII.GetBytes(column)]);
        return [.. Message('T', [0, 0]), .. Message('D', row.ToArray()), .. Message('C', "X\0"u8), .. Message('Z', "I"u8)];
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task ServeAsync(byte[][] answers)
    {
        using Socket socket = await _listener.AcceptSocketAsync(_stop.Token);
        byte[] buffer = new byte[8192];
        foreach (byte[] answer in answers)
        {
            await socket.ReceiveAsync(buffer, _stop.Token);
            await socket.SendAsync(answer, _stop.Token);
        }
        // Silence, until the client goes.
        while (await socket.ReceiveAsync(buffer, _stop.Token) > 0)
        {
        }
    }
}
