using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Npgsql;

namespace PgBackup.Postgres.Replication.Login;

/// <summary>
/// Asks for TLS and speaks it (PostgreSQL documentation, "SSL Session Encryption"), with the certificates that Npgsql and libpq take: from the settings,
/// PGSSLROOTCERT, PGSSLCERT, PGSSLKEY, and the folder <c>.postgresql</c> of the home.
/// </summary>
internal static class TlsUpgrade
{
    private static readonly byte[] s_request = [0, 0, 0, 8, 4, 210, 22, 47]; // 80877103

    /// <summary>The encrypted stream; null when the server has no TLS. The plain stream is then still usable.</summary>
    public static async Task<SslStream?> TryAsync(Stream plain, NpgsqlConnectionStringBuilder settings, CancellationToken cancellationToken)
    {
        bool direct = settings.SslNegotiation == SslNegotiation.Direct;
        if (!direct)
        {
            await plain.WriteAsync(s_request, cancellationToken).ConfigureAwait(false);
            await plain.FlushAsync(cancellationToken).ConfigureAwait(false);
            // One byte and no more: what came along with it unencrypted must not be taken for encrypted (CVE-2021-23222).
            byte[] answer = new byte[1];
            await plain.ReadExactlyAsync(answer, cancellationToken).ConfigureAwait(false);
            if (answer[0] == 'N')
                return null;
            if (answer[0] != 'S')
                throw new ProtocolViolationException("it answered the request for encryption with an error"); // Not shown: nobody has vouched for it (CVE-2024-10977).
        }
        var tls = new SslStream(plain, leaveInnerStreamOpen: false);
        try
        {
            await tls.AuthenticateAsClientAsync(Options(settings, direct), cancellationToken).ConfigureAwait(false);
            return tls;
        }
        catch
        {
            await tls.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>tls-server-end-point (RFC 5929): the certificate's hash; empty when its signature names no hash.</summary>
    public static byte[] ServerEndPoint(SslStream tls)
    {
        if (tls.RemoteCertificate is not X509Certificate2 certificate)
            return [];
        byte[] raw = certificate.RawData;
        return certificate.SignatureAlgorithm.Value switch
        {
            // MD5 and SHA-1 are replaced by SHA-256.
            "1.2.840.113549.1.1.4" or "1.2.840.113549.1.1.5" or "1.2.840.10045.4.1" or "1.2.840.113549.1.1.11" or "1.2.840.10045.4.3.2" => SHA256.HashData(raw),
            "1.2.840.113549.1.1.12" or "1.2.840.10045.4.3.3" => SHA384.HashData(raw),
            "1.2.840.113549.1.1.13" or "1.2.840.10045.4.3.4" => SHA512.HashData(raw),
            _ => [],
        };
    }

    private static SslClientAuthenticationOptions Options(NpgsqlConnectionStringBuilder settings, bool direct)
    {
        var options = new SslClientAuthenticationOptions
        {
            TargetHost = settings.Host,
            EnabledSslProtocols = SslProtocols.None, // The system's choice.
            CertificateRevocationCheckMode = settings.CheckCertificateRevocation ? X509RevocationMode.Online : X509RevocationMode.NoCheck,
            ClientCertificates = ClientCertificate(settings) is { } own ? [own] : null,
        };
        if (direct)
            options.ApplicationProtocols = [new SslApplicationProtocol("postgresql")];
        bool verify = settings.SslMode is SslMode.VerifyCA or SslMode.VerifyFull;
        X509Certificate2Collection? roots = verify ? Roots(settings) : null;
        options.RemoteCertificateValidationCallback = (_, certificate, chain, errors) =>
            !verify || IsTrusted(certificate as X509Certificate2, chain, errors, roots, settings.SslMode == SslMode.VerifyFull);
        return options;
    }

    private static bool IsTrusted(X509Certificate2? certificate, X509Chain? chain, SslPolicyErrors errors, X509Certificate2Collection? roots, bool verifyName)
    {
        if (certificate is null || chain is null || (verifyName && errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch)))
            return false;
        if (roots is null)
            return (errors & ~SslPolicyErrors.RemoteCertificateNameMismatch) == SslPolicyErrors.None;
        // A root that was named is the only one.
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(roots);
        chain.ChainPolicy.ExtraStore.AddRange(roots);
        return chain.Build(certificate);
    }

    private static X509Certificate2Collection? Roots(NpgsqlConnectionStringBuilder settings)
    {
        if (Choose(settings.RootCertificate, "PGSSLROOTCERT", "root.crt") is not { } path || path == "system")
            return null;
        var roots = new X509Certificate2Collection();
        roots.ImportFromPemFile(path);
        if (roots.Count == 0)
            roots.Add(X509CertificateLoader.LoadCertificateFromFile(path));
        return roots;
    }

    private static X509Certificate2? ClientCertificate(NpgsqlConnectionStringBuilder settings)
    {
        if (Choose(settings.SslCertificate, "PGSSLCERT", "postgresql.crt") is not { } path)
            return null;
        if (Path.GetExtension(path).ToUpperInvariant() is ".PFX" or ".P12")
            return X509CertificateLoader.LoadPkcs12FromFile(path, settings.SslPassword);
        string? key = Choose(settings.SslKey, "PGSSLKEY", "postgresql.key");
        X509Certificate2 certificate = settings.SslPassword is { Length: > 0 } password
            ? X509Certificate2.CreateFromEncryptedPemFile(path, password, key)
            : X509Certificate2.CreateFromPemFile(path, key);
        return OperatingSystem.IsWindows() ? Imported(certificate) : certificate;
    }

    // Schannel refuses a key that lives in memory alone (dotnet/runtime#23749).
    private static X509Certificate2 Imported(X509Certificate2 certificate)
    {
        using (certificate)
        {
            byte[] bytes = certificate.Export(X509ContentType.Pkcs12);
            try
            {
                return X509CertificateLoader.LoadPkcs12(bytes, null);
            }
            finally
            {
                CryptographicOperations.ZeroMemory(bytes);
            }
        }
    }

    private static string? Choose(string? given, string variable, string defaultName)
    {
        if (given is { Length: > 0 })
            return given;
        if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } named)
            return named;
        string folder = OperatingSystem.IsWindows()
            ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ApplicationData), "postgresql")
            : Path.Combine(Environment.GetEnvironmentVariable("HOME") ?? "/", ".postgresql");
        string usual = Path.Combine(folder, defaultName);
        return File.Exists(usual) ? usual : null;
    }
}
