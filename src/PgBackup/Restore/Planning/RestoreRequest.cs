namespace PgBackup.Restore.Planning;

/// <summary>What somebody wants to be restored, and where to.</summary>
public sealed record RestoreRequest
{
    /// <summary>The point to reach.</summary>
    public RestoreTarget Target { get; init; } = RestoreTarget.Latest;

    /// <summary>The backup to restore, or LATEST; null to have it chosen.</summary>
    public string? Name { get; init; }

    /// <summary>The timeline to follow; null for the newest that leads on from the backup.</summary>
    public TimelineId? Timeline { get; init; }

    /// <summary>What the server does at the target.</summary>
    public RecoveryTargetAction TargetAction { get; init; }

    /// <summary>Where the files go, as a full path; null for a plan without a destination.</summary>
    public string? DataDirectory { get; init; }

    /// <summary>Where tablespaces go: old location to new one, full paths.</summary>
    public IReadOnlyDictionary<string, string> TablespaceMapping { get; init; } = new Dictionary<string, string>();

    /// <summary>Whether a data directory of the same cluster that no server runs on is replaced.</summary>
    public bool Force { get; init; }

    /// <summary>Whether a server that runs on the destination is stopped, and its directory set aside, or with <see cref="Delta"/> kept.</summary>
    public bool StopServer { get; init; }

    /// <summary>
    /// Whether a data directory of the same cluster is brought to the target in place: what is right stays, the rest is fetched. With <see cref="Force"/> even when its WAL was
    /// never archived.
    /// </summary>
    public bool Delta { get; init; }

    /// <summary>Whether archiving stays as the cluster's configuration has it.</summary>
    public bool KeepArchiving { get; init; }

    /// <summary>Whether the log up to the target is searched for tablespaces that replay would make, in the folders that they lay in: all of it is read for that.</summary>
    public bool FindsNewTablespaces { get; init; }

    /// <summary>The command by which the server fetches WAL.</summary>
    public required string RestoreCommand { get; init; }
}
