using PgBackup.Logical.Load;

namespace PgBackup.Extraction;

/// <summary>Which tables are to be brought back from which moment, and how.</summary>
public sealed record TableExtractionOptions
{
    /// <summary>The point to reach.</summary>
    public RestoreTarget Target { get; init; } = RestoreTarget.Latest;

    /// <summary>The backup to begin with; null, or LATEST, for the newest one that leads to the target.</summary>
    public string? Backup { get; init; }

    /// <summary>The timeline to follow; null for the newest that leads on from the backup.</summary>
    public TimelineId? Timeline { get; init; }

    /// <summary>The database, as it was called at the target.</summary>
    public required string Database { get; init; }

    /// <summary>The tables: <c>schema.table</c>, parts with dots or capitals in double quotes where it matters, <c>*</c> and <c>?</c> outside of quotes as wildcards.</summary>
    public required IReadOnlyList<string> Tables { get; init; }

    /// <summary>The file that the dump is written to: plain SQL when it ends in .sql, .sql.gz or .sql.zst, else pg_dump's custom format; null to load it.</summary>
    public string? Destination { get; init; }

    /// <summary>Where the tables are loaded when there is no <see cref="Destination"/>; the database is the source's name when none is given. What it says of tables is not looked at.</summary>
    public LoadOptions? Load { get; init; }

    /// <summary>Whether a file that is there is replaced.</summary>
    public bool Overwrite { get; init; }

    /// <summary>The existing folder in which the cluster is restored beside; null for the one for temporary files.</summary>
    public string? WorkPath { get; init; }

    /// <summary>The account that gets the files and runs the server, when this runs as root; null for the owner of the source or postgres.</summary>
    public string? Owner { get; init; }

    /// <summary>Whether all databases are restored beside; else only the one, where the backup tells which files are its own.</summary>
    public bool WholeCluster { get; init; }

    /// <summary>How long recovery may take; null for any time.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>How many parts or ranges are read at once; null for the number of cores.</summary>
    public int? ThrottleLimit { get; init; }

    /// <summary>
    /// Makes the command by which the server fetches WAL, given a private folder of the server's account, which is gone afterwards: what the command needs to know may be put there.
    /// </summary>
    public required Func<string, string> RestoreCommand { get; init; }
}
