using PgBackup.Postgres.Server;

namespace PgBackup.Logical.Load;

/// <summary>How a dump is restored, and into what.</summary>
public sealed record LoadOptions
{
    /// <summary>The server to restore on.</summary>
    public required ServerConnectionSettings Server { get; init; }

    /// <summary>The database to restore into, created when it is not there; the dump's own when it is not given.</summary>
    public string? TargetDatabase { get; init; }

    /// <summary>Drops the dump's objects in the target before they are restored.</summary>
    public bool Clean { get; init; }

    /// <summary>An object that <see cref="Clean"/> does not find is no error.</summary>
    public bool IfExists { get; init; }

    /// <summary>Only these tables, views or sequences, each with all that belongs to it; exact names, <c>schema.table</c> or <c>table</c>.</summary>
    public IReadOnlyList<string> Tables { get; init; } = [];

    /// <summary>Only what is in these schemas; exact names.</summary>
    public IReadOnlyList<string> Schemas { get; init; } = [];

    /// <summary>No data.</summary>
    public bool SchemaOnly { get; init; }

    /// <summary>Nothing but data, into tables that are there.</summary>
    public bool DataOnly { get; init; }

    /// <summary>All objects belong to the role that restores.</summary>
    public bool NoOwner { get; init; }

    /// <summary>No GRANT and no REVOKE.</summary>
    public bool NoPrivilege { get; init; }

    /// <summary>How many objects are restored at once; null: the number of cores, at most 8, where the form allows it without being put beside first, else one.</summary>
    public int? ThrottleLimit { get; init; }

    /// <summary>Restores roles and tablespaces of the whole server, when that is what the dump holds.</summary>
    public bool Globals { get; init; }

    /// <summary>All or nothing: one transaction, given up at the first error.</summary>
    public bool SingleTransaction { get; init; }

    /// <summary>Restores into a database that holds objects of users already.</summary>
    public bool AllowNonEmpty { get; init; }

    /// <summary>Everything lies in the database's own tablespace.</summary>
    internal bool NoTablespace { get; init; }

    /// <summary>No subscriptions.</summary>
    internal bool NoSubscription { get; init; }

    /// <summary>Where a dump is put beside when pg_restore cannot read it as it comes; null: the system's folder for temporary files.</summary>
    public string? ScratchFolder { get; init; }
}
