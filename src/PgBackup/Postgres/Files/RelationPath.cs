using System.Globalization;
using System.Text.RegularExpressions;

namespace PgBackup.Postgres.Files;

/// <summary>The forks of a relation (PostgreSQL source: <c>ForkNumber</c> in relpath.h).</summary>
public enum RelationFork
{
    /// <summary>The data.</summary>
    Main,

    /// <summary>The free space map.</summary>
    FreeSpaceMap,

    /// <summary>The visibility map.</summary>
    VisibilityMap,

    /// <summary>The empty state to which an unlogged relation is reset.</summary>
    Init,
}

/// <summary>What kind of file a path below the data directory names.</summary>
public enum DataFileKind
{
    /// <summary>No file of a relation.</summary>
    Other,

    /// <summary>A file of a relation.</summary>
    Relation,

    /// <summary>A file of a temporary relation: <c>t3_16384</c>. Never needed by a backup.</summary>
    TemporaryRelation,
}

/// <summary>
/// What a file's path relative to the data directory says of it (PostgreSQL source: relpath.c "GetRelationPath", reinit.c; documentation,
/// "Database File Layout").
/// </summary>
/// <param name="Kind">What kind of file it is. For <see cref="DataFileKind.Other"/> all else is 0.</param>
/// <param name="Tablespace">The tablespace's oid: 1663 for <c>base</c>, 1664 for <c>global</c>.</param>
/// <param name="Database">The database's oid; 0 for <c>global</c>.</param>
/// <param name="FileNode">The relation's file number.</param>
/// <param name="Fork">The relation's fork.</param>
/// <param name="Segment">The number of the file among the fork's files of 1 GB; 0 for the first.</param>
public readonly partial record struct RelationPath(
    DataFileKind Kind, uint Tablespace, uint Database, uint FileNode, RelationFork Fork, uint Segment)
{
    /// <summary>The oid of pg_default.</summary>
    public const uint DefaultTablespace = 1663;

    /// <summary>The oid of pg_global.</summary>
    public const uint GlobalTablespace = 1664;

    /// <summary>True for a file whose content is a row of data pages.</summary>
    public bool IsPaged => Kind != DataFileKind.Other;

    /// <summary>
    /// The number that the file's first page has in its fork, the base of <see cref="PageChecksum.Compute"/>'s block number.
    /// </summary>
    /// <param name="blocksPerSegment">Pages in a file (<see cref="ControlFile.BlocksPerSegment"/>).</param>
    public uint FirstBlock(int blocksPerSegment) => unchecked(Segment * (uint)blocksPerSegment);

    /// <summary>Classifies a path relative to the data directory, written with forward slashes and without one at the start.</summary>
    public static RelationPath Classify(string relativePath)
    {
        // Far most paths that are no relation's end in a name that starts with neither a digit nor a 't'.
        int slash = relativePath.LastIndexOf('/');
        if (slash < 0 || slash + 1 == relativePath.Length || (relativePath[slash + 1] != 't' && !char.IsAsciiDigit(relativePath[slash + 1])))
            return default;
        Match match = Pattern().Match(relativePath);
        if (!match.Success
            || !TryOid(match.Groups["node"], out uint node) || node == 0
            || !TryOid(match.Groups["db"], out uint database)
            || !TryOid(match.Groups["tblspc"], out uint tablespace)
            || !TryOid(match.Groups["seg"], out uint segment))
            return default;
        if (tablespace == 0)
            tablespace = match.Groups["db"].Success ? DefaultTablespace : GlobalTablespace;
        RelationFork fork = match.Groups["fork"].ValueSpan switch
        {
            "fsm" => RelationFork.FreeSpaceMap,
            "vm" => RelationFork.VisibilityMap,
            "init" => RelationFork.Init,
            _ => RelationFork.Main,
        };
        DataFileKind kind = match.Groups["temp"].Success ? DataFileKind.TemporaryRelation : DataFileKind.Relation;
        return new RelationPath(kind, tablespace, database, node, fork, segment);
    }

    private static bool TryOid(Group group, out uint value)
    {
        value = 0;
        return !group.Success || uint.TryParse(group.ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out value);
    }

    [GeneratedRegex(
        @"\A(?:global|base/(?<db>[0-9]{1,10})|pg_tblspc/(?<tblspc>[0-9]{1,10})/PG_[0-9.]+_[0-9]+/(?<db>[0-9]{1,10}))"
        + @"/(?<temp>t[0-9]{1,10}_)?(?<node>[0-9]{1,10})(?:_(?<fork>fsm|vm|init))?(?:\.(?<seg>[1-9][0-9]{0,9}))?\z",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Pattern();
}
