namespace PgBackup.PowerShell.Parameters;

/// <summary>Whether a connection is encrypted and how the server proves who it is: libpq's <c>sslmode</c>.</summary>
public enum ServerSslMode
{
    /// <summary>Never encrypted.</summary>
    Disable,

    /// <summary>Encrypted only when the server insists.</summary>
    Allow,

    /// <summary>Encrypted when the server can.</summary>
    Prefer,

    /// <summary>Always encrypted; the server's certificate is not checked.</summary>
    Require,

    /// <summary>Encrypted; the certificate must come from a trusted authority.</summary>
    VerifyCA,

    /// <summary>Encrypted; the certificate must come from a trusted authority and name the host.</summary>
    VerifyFull,
}
