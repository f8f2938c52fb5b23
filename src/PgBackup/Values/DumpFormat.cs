namespace PgBackup;

/// <summary>The form of a logical dump (PostgreSQL documentation, pg_dump, <c>--format</c>).</summary>
public enum DumpFormat
{
    /// <summary>pg_dump's archive in one file: parts can be restored, in any order.</summary>
    Custom,

    /// <summary>A folder with one file for each table: the one that is dumped in parallel.</summary>
    Directory,

    /// <summary>An SQL script.</summary>
    Plain,

    /// <summary>A folder's content as a tar.</summary>
    Tar,
}
