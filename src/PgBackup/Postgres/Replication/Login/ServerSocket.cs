using System.Net.Sockets;
using Npgsql;

namespace PgBackup.Postgres.Replication.Login;

/// <summary>The plain connection to a server: TCP with keepalives, or a Unix socket.</summary>
internal static class ServerSocket
{
    // A peer that has gone without a word is noticed after a minute and a half.
    private const int KeepAliveProbes = 6;

    /// <summary>True for a folder of a socket or an abstract one; TLS is never spoken there.</summary>
    public static bool IsUnix(NpgsqlConnectionStringBuilder settings) => settings.Host is ['/' or '@', ..];

    /// <summary>Connects. Throws <see cref="SocketException"/>.</summary>
    public static async Task<Stream> ConnectAsync(NpgsqlConnectionStringBuilder settings, CancellationToken cancellationToken)
    {
        bool unix = IsUnix(settings);
        Socket socket = unix
            ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
            : new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            if (unix)
            {
                string path = settings.Host![0] == '@' ? "\0" + settings.Host[1..] + "/" : settings.Host.TrimEnd('/') + "/";
                await socket.ConnectAsync(new UnixDomainSocketEndPoint($"{path}.s.PGSQL.{settings.Port}"), cancellationToken).ConfigureAwait(false);
            }
            else
            {
                socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, settings.TcpKeepAliveTime);
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, settings.TcpKeepAliveInterval);
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, KeepAliveProbes);
                await socket.ConnectAsync(settings.Host!, settings.Port, cancellationToken).ConfigureAwait(false);
            }
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
