namespace PgBackup.Errors;

/// <summary>What kind of failure an error is; the names are those of PowerShell's <c>ErrorCategory</c>.</summary>
public enum ErrorKind
{
    /// <summary>A value that cannot be used.</summary>
    InvalidArgument,

    /// <summary>Data that is damaged or contradicts itself.</summary>
    InvalidData,

    /// <summary>The thing is in the wrong state for what was asked.</summary>
    InvalidOperation,

    /// <summary>Something that was named does not exist.</summary>
    ObjectNotFound,

    /// <summary>Something exists that must not.</summary>
    ResourceExists,

    /// <summary>Somebody else holds it.</summary>
    ResourceBusy,

    /// <summary>A resource (disk, store, server) is not usable.</summary>
    ResourceUnavailable,

    /// <summary>A missing right.</summary>
    PermissionDenied,

    /// <summary>No connection, or it broke.</summary>
    ConnectionError,

    /// <summary>A user name, password or certificate was refused.</summary>
    AuthenticationError,

    /// <summary>A wrong key.</summary>
    SecurityError,

    /// <summary>A bound of time ran out.</summary>
    OperationTimeout,

    /// <summary>Stopped on demand.</summary>
    OperationStopped,

    /// <summary>Reading failed.</summary>
    ReadError,

    /// <summary>Writing failed.</summary>
    WriteError,

    /// <summary>A program that is needed is not there.</summary>
    NotInstalled,

    /// <summary>Wrong configuration of the server.</summary>
    NotEnabled,
}

/// <summary>The exit codes for scheduled use; public, stable (about_PgBackup_ExitCodes).</summary>
public static class ExitCodes
{
    /// <summary>Done.</summary>
    public const int Success = 0;

    /// <summary>Failed.</summary>
    public const int Failed = 1;

    /// <summary>Bad arguments or configuration.</summary>
    public const int BadConfiguration = 2;

    /// <summary>Done in part.</summary>
    public const int Partial = 3;

    /// <summary>The repository is missing.</summary>
    public const int RepositoryMissing = 10;

    /// <summary>Somebody else holds the lock.</summary>
    public const int Locked = 11;

    /// <summary>The key does not fit.</summary>
    public const int WrongKey = 12;

    /// <summary>Nothing satisfies the request.</summary>
    public const int NothingFound = 13;

    /// <summary>A verification or a drill failed.</summary>
    public const int VerificationFailed = 14;

    /// <summary>An objective was missed.</summary>
    public const int ObjectiveMissed = 15;

    /// <summary>The server cannot be reached.</summary>
    public const int ServerUnreachable = 20;

    /// <summary>Stopped by Ctrl+C.</summary>
    public const int Interrupted = 130;

    /// <summary>Stopped by SIGTERM.</summary>
    public const int Terminated = 143;
}

/// <summary>
/// A failure that a user can act on. Every one is made by <see cref="PgErrors"/>, so that id, kind, exit code, message and hint
/// stand in one catalogue. The message says what happened and to what; the hint says what to do next. Neither holds a secret.
/// </summary>
public sealed class PgBackupException : Exception
{
    internal PgBackupException(string id, ErrorKind kind, int exitCode, string message, string hint, object? target = null, Exception? inner = null)
        : base(message, inner)
    {
        Id = id;
        Kind = kind;
        ExitCode = exitCode;
        Hint = hint;
        ErrorTarget = target;
    }

    /// <summary>The stable id, for example <c>BackupNotFound</c>.</summary>
    public string Id { get; }

    /// <summary>The kind of failure.</summary>
    public ErrorKind Kind { get; }

    /// <summary>The exit code for scheduled use (<see cref="ExitCodes"/>).</summary>
    public int ExitCode { get; }

    /// <summary>What to do next.</summary>
    public string Hint { get; }

    /// <summary>The thing that the failure is about: a name, a path, a server.</summary>
    public object? ErrorTarget { get; }
}
