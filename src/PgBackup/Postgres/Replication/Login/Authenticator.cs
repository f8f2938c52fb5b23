using System.Net.Security;
using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace PgBackup.Postgres.Replication.Login;

/// <summary>
/// The start-up phase up to the first ReadyForQuery (PostgreSQL documentation, "Start-up"): trust, cleartext, MD5, SCRAM-SHA-256 with and without channel binding.
/// Throws <see cref="ServerReportException"/>, <see cref="LoginRefusedException"/> and <see cref="ProtocolViolationException"/>.
/// </summary>
/// <param name="wire">The connection.</param>
/// <param name="tls">Its encryption; null without.</param>
/// <param name="settings">Who logs in, and how.</param>
/// <param name="options">Settings for the session, in the form of libpq's <c>options</c>; null for none.</param>
internal sealed class Authenticator(WireStream wire, SslStream? tls, NpgsqlConnectionStringBuilder settings, string? options)
{
    private readonly AllowedMethods _allowed = new(settings);
    private Scram? _scram;
    private bool _asked;
    private bool _isBoundProven;
    private bool _finished;

    /// <summary>The server's process that serves the connection (BackendKeyData); 0 when it did not say.</summary>
    public int ProcessId { get; private set; }

    /// <summary>Logs in to a physical replication connection.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await wire.SendAsync('\0', StartupMessage(), cancellationToken).ConfigureAwait(false);
        while (true)
        {
            char type = await wire.NextAsync(cancellationToken).ConfigureAwait(false);
            switch (type)
            {
                case 'R':
                    await AnswerAsync(await wire.ReadBodyAsync(cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
                    break;
                case 'E':
                    throw new ServerReportException(ServerReport.Parse(await wire.ReadBodyAsync(cancellationToken).ConfigureAwait(false)));
                case 'Z' when _finished:
                    return;
                case 'K' when _finished:
                    ProcessId = new MessageReader(await wire.ReadBodyAsync(cancellationToken).ConfigureAwait(false)).Int32();
                    break;
                case 'N' or 'v':
                case 'S' when _finished:
                    break;
                default:
                    throw new ProtocolViolationException($"a message of type '{type}' came during the login");
            }
        }
    }

    private async Task AnswerAsync(byte[] body, CancellationToken cancellationToken)
    {
        (int code, byte[] data) = Request(body);
        switch (code)
        {
            case 0:
                if (!_asked)
                    _allowed.Require("none");
                if (_scram is not null)
                    throw new LoginRefusedException("it ended the SCRAM exchange without proving that it knows the password");
                if (settings.ChannelBinding == ChannelBinding.Require && !_isBoundProven)
                    throw new LoginRefusedException("it let the login pass without binding it to the TLS connection, as the settings require");
                _finished = true;
                break;
            case 3:
                Begin("password");
                await SendAsync(Terminated(RequirePassword()), cancellationToken).ConfigureAwait(false);
                break;
            case 5:
                Begin("md5");
                await SendAsync(Terminated(Md5(RequirePassword(), settings.Username!, data)), cancellationToken).ConfigureAwait(false);
                break;
            case 10:
                Begin("scram-sha-256");
                await SendAsync(BeginScram(data), cancellationToken).ConfigureAwait(false);
                break;
            case 11 when _scram is not null:
                await SendAsync(_scram.Final(data, RequirePassword()), cancellationToken).ConfigureAwait(false);
                break;
            case 12 when _scram is not null:
                if (!_scram.IsServerProven(data))
                    throw new LoginRefusedException("it could not prove that it knows the password; it may be another server");
                _isBoundProven = _scram.IsBound;
                _scram = null;
                break;
            default:
                string name = code switch { 2 => "Kerberos V5", 6 => "SCM", 7 or 8 => "GSSAPI", 9 => "SSPI", _ => $"number {code}" };
                throw new LoginRefusedException(
                    $"it wants the authentication method {name}, which replication connections of PgBackup do not speak; allow scram-sha-256 or a certificate in pg_hba.conf");
        }
    }

    private static (int Code, byte[] Data) Request(byte[] body)
    {
        var reader = new MessageReader(body);
        return (reader.Int32(), reader.Rest.ToArray());
    }

    private void Begin(string method)
    {
        if (_asked)
            throw new ProtocolViolationException("it asked for authentication twice");
        _asked = true;
        _allowed.Require(method);
        if (settings.ChannelBinding == ChannelBinding.Require && method != "scram-sha-256")
            throw new LoginRefusedException($"it wants the authentication method '{method}', which cannot be bound to the TLS connection as the settings require");
    }

    private byte[] BeginScram(byte[] offered)
    {
        List<string> mechanisms = [.. Encoding.ASCII.GetString(offered).Split('\0', StringSplitOptions.RemoveEmptyEntries)];
        byte[] endPoint = tls is null || settings.ChannelBinding == ChannelBinding.Disable ? [] : TlsUpgrade.ServerEndPoint(tls);
        bool bound = endPoint.Length > 0 && mechanisms.Contains(Scram.BoundMechanism);
        if (settings.ChannelBinding == ChannelBinding.Require && !bound)
            throw new LoginRefusedException("it does not bind the login to the TLS connection, as the settings require");
        if (!bound && !mechanisms.Contains(Scram.Mechanism))
            throw new LoginRefusedException($"it offers none of the SASL mechanisms that PgBackup speaks (it offers {string.Join(", ", mechanisms)})");
        // "y": we could have bound it; a server that could too then knows that somebody took its offer away.
        string header = bound ? "p=tls-server-end-point,," : endPoint.Length > 0 ? "y,," : "n,,";
        _scram = new Scram(header, bound ? endPoint : []);
        byte[] first = _scram.First();
        byte[] length = new byte[4];
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(length, first.Length);
        return [.. Terminated(bound ? Scram.BoundMechanism : Scram.Mechanism), .. length, .. first];
    }

    private string RequirePassword()
    {
        (string? password, string? complaint) = PasswordSource.Find(settings);
        return password ?? throw new LoginRefusedException("it asks for a password, and none was found." + (complaint is null ? "" : $" {complaint}"));
    }

    private ValueTask SendAsync(byte[] body, CancellationToken cancellationToken) => wire.SendAsync('p', body, cancellationToken);

    private byte[] StartupMessage()
    {
        var body = new List<byte> { 0, 3, 0, 0 };
        foreach (string text in (ReadOnlySpan<string>)
            ["user", settings.Username!, "database", "replication", "replication", "true", "application_name", settings.ApplicationName!, "client_encoding", "UTF8"])
            body.AddRange(Terminated(text));
        if (options is not null)
            body.AddRange([.. Terminated("options"), .. Terminated(options)]);
        body.Add(0);
        return [.. body];
    }

    private static byte[] Terminated(string text) => [.. Encoding.UTF8.GetBytes(text), 0];

    // "md5" and the MD5, in hexadecimal, of (that of password and user) and the salt: PostgreSQL documentation, "Start-up".
    private static string Md5(string password, string user, byte[] salt)
    {
#pragma warning disable CA5351 // The server asks for it.
        string inner = Convert.ToHexStringLower(MD5.HashData(Encoding.UTF8.GetBytes(password + user)));
        return "md5" + Convert.ToHexStringLower(MD5.HashData([.. Encoding.ASCII.GetBytes(inner), .. salt]));
#pragma warning restore CA5351
    }
}
