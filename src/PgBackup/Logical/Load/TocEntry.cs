namespace PgBackup.Logical.Load;

/// <summary>An entry of an archive's table of contents.</summary>
/// <param name="Id">Its number in the archive, which lists and messages name it by.</param>
/// <param name="Kind">What it is: TABLE, TABLE DATA, COMMENT.</param>
/// <param name="Schema">Its schema; null when it has none.</param>
/// <param name="Name">Its tag.</param>
/// <param name="Dependencies">The entries that it depends on.</param>
internal sealed record TocEntry(int Id, string Kind, string? Schema, string Name, IReadOnlyList<int> Dependencies)
{
    public DatabaseObject Object => new(Kind, Schema, Name);

    /// <summary>Whether it is a relation of its own.</summary>
    public bool IsRelation => Kind is "TABLE" or "VIEW" or "MATERIALIZED VIEW" or "FOREIGN TABLE" or "SEQUENCE";
}

/// <summary>An archive's head and table of contents.</summary>
internal sealed record ArchiveToc
{
    /// <summary>The version of the archive's format, for example 14 for 1.14.</summary>
    public required int FormatVersion { get; init; }

    /// <summary>The database that was dumped.</summary>
    public string? Database { get; init; }

    /// <summary>What the database was created with; null when the dump does not tell.</summary>
    public DatabaseTraits? Traits { get; init; }

    /// <summary>The entries in the archive's order.</summary>
    public required IReadOnlyList<TocEntry> Entries { get; init; }

    /// <summary>How many tables there are.</summary>
    public int TableCount => Entries.Count(e => e.Kind is "TABLE" or "FOREIGN TABLE" or "MATERIALIZED VIEW");

    /// <summary>The oldest major version whose pg_restore reads this format (pg_backup_archiver.h: K_VERS_1_15 came with 16, K_VERS_1_16 with 17).</summary>
    public int OldestReader => FormatVersion switch { >= 16 => 17, 15 => 16, _ => 13 };
}
