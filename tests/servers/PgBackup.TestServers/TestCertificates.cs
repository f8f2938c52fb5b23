using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace PgBackup.TestServers;

/// <summary>A certificate authority of our own, which no system trusts, and a certificate for the loopback that it has signed.</summary>
public static class TestCertificates
{
    /// <summary>Writes <c>ca.pem</c>, <c>server.pem</c> and <c>server.key</c> into a folder.</summary>
    public static void Write(string folder) => Write(folder, null);

    /// <summary>As <see cref="Write(string)"/>, and <c>client.pem</c> with <c>client.key</c> for a client of this name.</summary>
    public static void Write(string folder, string? client)
    {
        DateTimeOffset from = DateTimeOffset.UtcNow.AddDays(-1);
        DateTimeOffset until = from.AddYears(1);
        using RSA caKey = RSA.Create(2048);
        CertificateRequest ca = new("CN=PgBackup tests", caKey, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        ca.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        ca.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        using X509Certificate2 authority = ca.CreateSelfSigned(from, until);

        using RSA key = RSA.Create(2048);
        CertificateRequest server = new("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        SubjectAlternativeNameBuilder names = new();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        server.CertificateExtensions.Add(names.Build());
        server.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, 0, critical: true));
        server.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], critical: false));
        using X509Certificate2 certificate = server.Create(authority, from, until, RandomNumberGenerator.GetBytes(8));

        if (client is not null)
        {
            using RSA clientKey = RSA.Create(2048);
            CertificateRequest request = new($"CN={client}", clientKey, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
            using X509Certificate2 own = request.Create(authority, from, until, RandomNumberGenerator.GetBytes(8));
            File.WriteAllText(Path.Combine(folder, "client.pem"), own.ExportCertificatePem() + "\n");
            File.WriteAllText(Path.Combine(folder, "client.key"), clientKey.ExportPkcs8PrivateKeyPem() + "\n");
        }
        File.WriteAllText(Path.Combine(folder, "ca.pem"), authority.ExportCertificatePem() + "\n");
        File.WriteAllText(Path.Combine(folder, "server.pem"), certificate.ExportCertificatePem() + "\n" + authority.ExportCertificatePem() + "\n");
        File.WriteAllText(Path.Combine(folder, "server.key"), key.ExportPkcs8PrivateKeyPem() + "\n");
    }
}
