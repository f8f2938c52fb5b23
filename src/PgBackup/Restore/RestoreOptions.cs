using PgBackup.Restore.Planning;

namespace PgBackup.Restore;

/// <summary>What a restore is asked to do, besides reaching its target.</summary>
public sealed record RestoreOptions
{
    /// <summary>What to restore, and where to.</summary>
    public required RestoreRequest Request { get; init; }

    /// <summary>The account that the files are given to and the server runs as, when this runs as root; null for the owner of the destination or of the source.</summary>
    public string? Owner { get; init; }

    /// <summary>Whether the server is started and followed until it has reached the target. <see cref="RestoreRequest.StopServer"/> implies it.</summary>
    public bool Start { get; init; }

    /// <summary>The port of a server that is started beside the original; null for a free one.</summary>
    public int? Port { get; init; }

    /// <summary>How long recovery may take after the start; null for any time.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>How many parts or ranges are read at once; null for the number of cores.</summary>
    public int? ThrottleLimit { get; init; }
}
