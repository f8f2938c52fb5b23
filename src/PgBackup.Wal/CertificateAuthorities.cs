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
    private const string Nowhere = "/nonexistent";

    /// <summary>
    /// To be called before the first connection. Only where one file is all that is trusted: what else the system trusts, as a folder or as a file, may differ and is left alone. A service that
    /// is asked for credentials is another matter, too.
    /// </summary>
    public static void Narrow(RepositorySettings settings)
    {
        if (!OperatingSystem.IsLinux() || settings.Storage is not S3Settings { CaCertificateFile: { } file } s3 || !S3Credentials.AreAtHand(s3))
            return;
        Posix.SetVariable("SSL_CERT_DIR", Nowhere);
        Posix.SetVariable("SSL_CERT_FILE", file);
    }
}
