namespace PgBackup.Repository.Dumps;

/// <summary>
/// The document of a logical backup (docs/format.md): written last, and the backup exists when it does. Plain JSON, also beside encrypted objects, so it names no table; those stand in
/// <see cref="DumpTables"/>.
/// </summary>
public sealed record DumpManifest
{
    /// <summary>The version of this form.</summary>
    public const int CurrentVersion = 1;

    /// <summary>The version of the form that it was written in.</summary>
    public required int Version { get; init; }

    /// <summary>The backup's name.</summary>
    public required string Name { get; init; }

    /// <summary>What it holds.</summary>
    public required DumpContent Content { get; init; }

    /// <summary>The database; null for globals.</summary>
    public string? Database { get; init; }

    /// <summary>The dump's form.</summary>
    public required DumpFormat Format { get; init; }

    /// <summary>What was given along.</summary>
    public string? Label { get; init; }

    /// <summary>Shared by the backups of one run.</summary>
    public string? RunId { get; init; }

    /// <summary>When it began (UTC).</summary>
    public required DateTimeOffset StartTime { get; init; }

    /// <summary>When its last object was stored (UTC).</summary>
    public required DateTimeOffset FinishTime { get; init; }

    /// <summary>Where the server's log stood when the snapshot was taken.</summary>
    public Lsn? SnapshotLsn { get; init; }

    /// <summary>When the snapshot was taken (UTC, by the server's clock).</summary>
    public DateTimeOffset? SnapshotTime { get; init; }

    /// <summary>The server, as host and port.</summary>
    public required string Server { get; init; }

    /// <summary>server_version_num, for example 150018.</summary>
    public required int ServerVersion { get; init; }

    /// <summary>The cluster; null where the role may not ask for it.</summary>
    public ulong? SystemIdentifier { get; init; }

    /// <summary>The version of pg_dump or pg_dumpall, for example 15.18.</summary>
    public required string ToolVersion { get; init; }

    /// <summary>The program that wrote this: PgBackup and its version.</summary>
    public required string WrittenBy { get; init; }

    /// <summary>The database's encoding, for example UTF8: what a database to restore into is created with.</summary>
    public string? Encoding { get; init; }

    /// <summary>LC_COLLATE of the database.</summary>
    public string? Collate { get; init; }

    /// <summary>LC_CTYPE of the database.</summary>
    public string? CharacterType { get; init; }

    /// <summary>The locale provider: c (libc), i (ICU) or b (builtin).</summary>
    public string? LocaleProvider { get; init; }

    /// <summary>The locale of ICU or of the builtin provider.</summary>
    public string? Locale { get; init; }

    /// <summary>True when only the schema was dumped.</summary>
    public bool SchemaOnly { get; init; }

    /// <summary>True when only the data was dumped.</summary>
    public bool DataOnly { get; init; }

    /// <summary>True when patterns of tables or schemas chose what was dumped; they stand in <see cref="DumpTables"/>.</summary>
    public bool IsFiltered { get; init; }

    /// <summary>Whether the objects are encrypted.</summary>
    public bool Encrypted { get; init; }

    /// <summary>Whether retention must leave it alone.</summary>
    public bool IsPermanent { get; init; }

    /// <summary>The bytes of the database when it was dumped (pg_database_size).</summary>
    public long? DataSize { get; init; }

    /// <summary>How many tables it holds.</summary>
    public int? TableCount { get; init; }

    /// <summary>
    /// The objects of the dump, in order: one for custom, plain, tar and globals. Of the directory form each holds a tar with whole files of the folder.
    /// </summary>
    public required IReadOnlyList<DumpObject> Objects { get; init; }

    /// <summary>The backup as users see it.</summary>
    /// <param name="repository">The repository, as it was named.</param>
    public DatabaseBackup ToBackup(string repository) => new()
    {
        Name = Name,
        Content = Content,
        Database = Database,
        Status = BackupStatus.Complete,
        Format = Format,
        StartTime = StartTime,
        FinishTime = FinishTime,
        SnapshotLsn = SnapshotLsn,
        Size = new ByteSize(Objects.Sum(item => item.Size)),
        UncompressedSize = new ByteSize(Objects.Sum(item => item.UncompressedSize)),
        DataSize = DataSize is { } size ? new ByteSize(size) : null,
        TableCount = TableCount,
        Label = Label,
        RunId = RunId,
        ServerVersion = new System.Version(ServerVersion / 10000, ServerVersion % 10000),
        ToolVersion = System.Version.TryParse(ToolVersion, out System.Version? tool) ? tool : null,
        SystemIdentifier = SystemIdentifier,
        Server = Server,
        IsPartial = SchemaOnly || DataOnly || IsFiltered,
        Encrypted = Encrypted,
        IsPermanent = IsPermanent,
        Repository = repository,
        Manifest = this,
    };
}

/// <summary>An object of a dump.</summary>
/// <param name="Key">Its key, relative to the backup's folder; the extension names the codec.</param>
/// <param name="Size">Its bytes as stored.</param>
/// <param name="UncompressedSize">Its bytes before compression and encryption.</param>
/// <param name="Hash">The XXH128 of those, in lower-case hexadecimal digits.</param>
public sealed record DumpObject(string Key, long Size, long UncompressedSize, string Hash);

/// <summary>What a dump holds in particular: encrypted with a key as the dump is.</summary>
public sealed record DumpTables
{
    /// <summary>The tables, partitioned tables, materialized views and foreign tables that were dumped, by schema and name.</summary>
    public required IReadOnlyList<DumpTable> Tables { get; init; }

    /// <summary>The arguments of pg_dump that chose what and how, without connection and file names.</summary>
    public required IReadOnlyList<string> Arguments { get; init; }
}

/// <summary>A table of a dump.</summary>
/// <param name="Schema">Its schema.</param>
/// <param name="Name">Its name.</param>
/// <param name="EstimatedRows">The planner's estimate (pg_class.reltuples); null when there is none.</param>
/// <param name="Size">Its bytes with indexes and TOAST (pg_total_relation_size); null when it may not be asked.</param>
public sealed record DumpTable(string Schema, string Name, long? EstimatedRows, long? Size);
