using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using Npgsql;
using PgBackup.Errors;

namespace PgBackup.Postgres.Replication.Login;

/// <summary>Opens a replication connection as the settings say: with or without TLS, within their timeout. Failures are those of the catalogue.</summary>
internal static class ServerLogin
{
    /// <summary>
    /// The connection, ready for commands, and the server's process that serves it (0 when it did not say). Throws <c>ServerConnectionFailed</c>, <c>AuthenticationFailed</c>, <c>InsufficientPrivilege</c>.
    /// </summary>
    /// <param name="settings">Where to, and how.</param>
    /// <param name="options">Settings for the session, in the form of libpq's <c>options</c>; null for none.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<(WireStream Wire, int ProcessId)> OpenAsync(NpgsqlConnectionStringBuilder settings, string? options, CancellationToken cancellationToken)
    {
        if (settings.Host!.Contains(',', StringComparison.Ordinal))
            throw PgErrors.ConnectionSettingsInvalid("a replication connection goes to one host, and several are named.");
        bool tlsFirst = !ServerSocket.IsUnix(settings) && settings.SslMode is not (SslMode.Disable or SslMode.Allow);
        try
        {
            return await WithinTimeoutAsync(settings, options, tlsFirst, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (IsExpected(error))
        {
            // pg_hba.conf may allow the one and not the other (libpq's prefer and allow).
            bool again = !ServerSocket.IsUnix(settings) && settings.SslMode is SslMode.Prefer or SslMode.Allow
                && error is ServerReportException { Report.SqlState: PostgresErrorCodes.InvalidAuthorizationSpecification };
            if (again)
            {
                try
                {
                    return await WithinTimeoutAsync(settings, options, !tlsFirst, cancellationToken).ConfigureAwait(false);
                }
                catch (Exception second) when (IsExpected(second))
                {
                    // The first answer is the one to the way that the settings prefer.
                }
            }
            throw ReplicationErrors.OfLogin(error, settings);
        }
    }

    private static bool IsExpected(Exception error) =>
        error is ServerReportException or LoginRefusedException or ProtocolViolationException or SocketException or IOException or TimeoutException
            or AuthenticationException or CryptographicException or UnauthorizedAccessException;

    private static async Task<(WireStream Wire, int ProcessId)> WithinTimeoutAsync(
        NpgsqlConnectionStringBuilder settings, string? options, bool withTls, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        if (settings.Timeout > 0)
            limit.CancelAfter(TimeSpan.FromSeconds(settings.Timeout));
        try
        {
            return await ConnectAsync(settings, options, withTls, limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"it did not answer within {settings.Timeout} s");
        }
    }

    private static async Task<(WireStream Wire, int ProcessId)> ConnectAsync(
        NpgsqlConnectionStringBuilder settings, string? options, bool withTls, CancellationToken cancellationToken)
    {
        Stream stream = await ServerSocket.ConnectAsync(settings, cancellationToken).ConfigureAwait(false);
        WireStream? wire = null;
        try
        {
            SslStream? tls = withTls ? await TlsUpgrade.TryAsync(stream, settings, cancellationToken).ConfigureAwait(false) : null;
            if (tls is null && withTls && settings.SslMode is not SslMode.Prefer)
                throw new LoginRefusedException("it has no TLS, which the settings require");
            wire = new WireStream(tls ?? stream);
            var authenticator = new Authenticator(wire, tls, settings, options);
            await authenticator.RunAsync(cancellationToken).ConfigureAwait(false);
            return (wire, authenticator.ProcessId);
        }
        catch
        {
            await (wire is null ? stream.DisposeAsync() : wire.DisposeAsync()).ConfigureAwait(false);
            throw;
        }
    }
}
