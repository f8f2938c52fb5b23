using System.Globalization;
using PgBackup.Postgres.Files;

namespace PgBackup.Restore.Fetching;

/// <summary>
/// The files of a cluster that are needed to reach one database: what all databases share, the system's own databases, from which others are made, and the one. Of the others only the
/// folders are there. A server that replays the log of all of them makes what it misses, up to the page that is written; so that it need not fill a table of a terabyte with zeros for its
/// last page, a large file gets its size beforehand and takes no room.
/// </summary>
/// <param name="database">The OID of the database.</param>
internal sealed class DatabaseChoice(uint database) : FileChoice
{
    // PostgreSQL source: FirstNormalObjectId in access/transam.h. Those that initdb makes have smaller ones.
    private const uint FirstUserOid = 16384;

    private const long SmallestPlaceholder = 1 << 20;

    /// <summary>The OID of the database.</summary>
    public uint Database { get; } = database;

    /// <summary>Whether a database's files are there.</summary>
    public bool Includes(uint oid) => oid == Database || oid < FirstUserOid;

    /// <inheritdoc/>
    public override bool Includes(string relative) => FolderOf(relative, out uint oid).Length == 0 || Includes(oid);

    /// <inheritdoc/>
    // Replay may create or drop things in it.
    public override string? FolderFor(string relative) => FolderOf(relative, out _);

    /// <summary>The database that a path belongs to: 0 for what all share.</summary>
    public static uint DatabaseOf(string relative)
    {
        FolderOf(relative, out uint oid);
        return oid;
    }

    /// <inheritdoc/>
    // On Windows a file is not sparse by itself.
    public override bool KeepsSize(string relative, long size) =>
        size >= SmallestPlaceholder && !OperatingSystem.IsWindows() && RelationPath.Classify(relative).Kind == DataFileKind.Relation;

    // base/<oid> and pg_tblspc/<oid>/PG_<version>/<oid> (PostgreSQL documentation, "Database File Layout").
    private static string FolderOf(string relative, out uint oid)
    {
        oid = 0;
        int begin = relative.StartsWith("base/", StringComparison.Ordinal) ? "base/".Length
            : relative.StartsWith("pg_tblspc/", StringComparison.Ordinal) ? AfterVersion(relative)
            : 0;
        if (begin <= 0)
            return "";
        int end = relative.IndexOf('/', begin);
        if (end < 0)
            end = relative.Length;
        return uint.TryParse(relative.AsSpan(begin, end - begin), NumberStyles.None, CultureInfo.InvariantCulture, out oid) ? relative[..end] : "";
    }

    private static int AfterVersion(string relative)
    {
        int space = relative.IndexOf('/', "pg_tblspc/".Length);
        int version = space < 0 ? -1 : relative.IndexOf('/', space + 1);
        return version + 1;
    }
}
