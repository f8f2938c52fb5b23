using PgBackup.Configuration;
using PgBackup.Platform;
using PgBackup.Storage.S3;

namespace PgBackup.Wal.Command;

/// <summary>
/// Spares a process that lives for some milliseconds the certificate authorities that it does not need. For its first connection the framework reads the folder of the system's authorities
/// and then the file that holds the same ones again, which takes longer than everything else together.
/// </summary>
internal static class CertificateAuthorities
{
    private const string FolderVariable = "SSL_CERT_DIR", FileVariable = "SSL_CERT_FILE";
    private const string Nowhere = "/nonexistent";

    // Debian and its kin; Red Hat's; Alpine's.
    private static readonly string[] s_bundles = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

    /// <summary>To be called before the first connection.</summary>
    public static void Narrow(RepositorySettings settings)
    {
        if (OperatingSystem.IsLinux() && settings.Storage is S3Settings s3 && Enough(s3) is { } file)
        {
            Posix.SetVariable(FolderVariable, Nowhere);
            Posix.SetVariable(FileVariable, file);
        }
    }

    /// <summary>The file that holds all authorities that can be asked for; null to leave everything as it is.</summary>
    private static string? Enough(S3Settings s3)
    {
        // The store's own file is all that is trusted for the store; a service that is asked for credentials is another matter.
        if (s3.CaCertificateFile is { } own && S3Credentials.AreAtHand(s3))
            return own;
        bool isChosen = Environment.GetEnvironmentVariable(FolderVariable) is not null || Environment.GetEnvironmentVariable(FileVariable) is not null;
        return isChosen ? null : Array.Find(s_bundles, File.Exists);
    }
}
