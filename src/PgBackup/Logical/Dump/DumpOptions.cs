using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Postgres.Server;

namespace PgBackup.Logical.Dump;

/// <summary>What to dump, and how.</summary>
public sealed record DumpOptions
{
    /// <summary>The server.</summary>
    public required ServerConnectionSettings Server { get; init; }

    /// <summary>A database, or what all databases of the server share.</summary>
    public DumpContent Content { get; init; }

    /// <summary>The database by its exact name; null for that of the connection.</summary>
    public string? Database { get; init; }

    /// <summary>The dump's form; globals are always a script.</summary>
    public DumpFormat Format { get; init; }

    /// <summary>Only tables, views and sequences that match one of these (pg_dump <c>--table</c>).</summary>
    public IReadOnlyList<string> Tables { get; init; } = [];

    /// <summary>No tables that match one of these (pg_dump <c>--exclude-table</c>).</summary>
    public IReadOnlyList<string> ExcludedTables { get; init; } = [];

    /// <summary>Only schemas that match one of these (pg_dump <c>--schema</c>).</summary>
    public IReadOnlyList<string> Schemas { get; init; } = [];

    /// <summary>No schemas that match one of these (pg_dump <c>--exclude-schema</c>).</summary>
    public IReadOnlyList<string> ExcludedSchemas { get; init; } = [];

    /// <summary>Only the definitions.</summary>
    public bool SchemaOnly { get; init; }

    /// <summary>Only the rows.</summary>
    public bool DataOnly { get; init; }

    /// <summary>The codec; null: the repository's, or for a file what its name says or pg_dump does by itself.</summary>
    public CompressionMethod? Compression { get; init; }

    /// <summary>The codec's level; null: the repository's, else zstd's first for a stream that pg_dump makes.</summary>
    public int? CompressionLevel { get; init; }

    /// <summary>How many blocks are compressed and how many tables of a directory are dumped at once; null for the number of cores.</summary>
    public int? ThrottleLimit { get; init; }

    /// <summary>What is kept along to find the backup again.</summary>
    public string? Label { get; init; }

    /// <summary>Whether retention must leave it alone.</summary>
    public bool IsPermanent { get; init; }

    /// <summary>What the backups of one run share.</summary>
    public string? RunId { get; init; }

    /// <summary>The form in truth: globals are a script.</summary>
    internal DumpFormat EffectiveFormat => Content == DumpContent.Globals ? DumpFormat.Plain : Format;

    internal int Workers => ThrottleLimit ?? Environment.ProcessorCount;

    internal bool IsFiltered => Tables.Count + ExcludedTables.Count + Schemas.Count + ExcludedSchemas.Count > 0;

    /// <summary>What is dumped, for messages.</summary>
    internal string Subject => Content == DumpContent.Globals ? "roles and tablespaces" : Database ?? Server.DatabaseName;

    /// <summary>Throws <c>DumpOptionsInvalid</c> for what excludes each other.</summary>
    internal void Check()
    {
        if (SchemaOnly && DataOnly)
            throw PgErrors.DumpOptionsInvalid("only the schema and only the data together are nothing.", "Give one of -SchemaOnly and -DataOnly, or neither.");
        if (Tables.Concat(ExcludedTables).Concat(Schemas).Concat(ExcludedSchemas).Any(string.IsNullOrEmpty))
            throw PgErrors.DumpOptionsInvalid("a pattern of tables or schemas is empty.", "Leave it out.");
    }

    /// <summary>The arguments of pg_dump that choose what is dumped.</summary>
    internal IEnumerable<string> Selection()
    {
        if (SchemaOnly)
            yield return "--schema-only";
        if (DataOnly)
            yield return "--data-only";
        // Each in one word with its option: a pattern may begin with a hyphen.
        foreach (string pattern in Tables)
            yield return "--table=" + pattern;
        foreach (string pattern in ExcludedTables)
            yield return "--exclude-table=" + pattern;
        foreach (string pattern in Schemas)
            yield return "--schema=" + pattern;
        foreach (string pattern in ExcludedSchemas)
            yield return "--exclude-schema=" + pattern;
    }
}
