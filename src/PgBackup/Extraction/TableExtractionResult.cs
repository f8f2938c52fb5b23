namespace PgBackup;

/// <summary>What came of bringing tables back out of a base backup.</summary>
public sealed record TableExtractionResult
{
    /// <summary>The name of the backup that it began with.</summary>
    public required string Name { get; init; }

    /// <summary>The target.</summary>
    public required RestoreTarget Target { get; init; }

    /// <summary>Where replay stopped.</summary>
    public required Lsn ReachedLsn { get; init; }

    /// <summary>When the last transaction that is in it ended (UTC); null when none did after the backup.</summary>
    public DateTimeOffset? ReachedTime { get; init; }

    /// <summary>The database that the tables are of.</summary>
    public required string Database { get; init; }

    /// <summary>The tables, as <c>schema.table</c>, partitions included.</summary>
    public required IReadOnlyList<string> Tables { get; init; }

    /// <summary>The file with the dump; null when the tables were loaded.</summary>
    public string? Destination { get; init; }

    /// <summary>The size of the dump.</summary>
    public required ByteSize Size { get; init; }

    /// <summary>How and where they were loaded; null when there is a file.</summary>
    public DatabaseRestoreResult? Load { get; init; }

    /// <summary>The database that they were loaded into; null when there is a file.</summary>
    public string? TargetDatabase => Load?.Database;

    /// <summary>The bytes of files that were restored beside.</summary>
    public required ByteSize RestoredSize { get; init; }

    /// <summary>The bytes of the whole cluster; null when the backup does not say.</summary>
    public ByteSize? ClusterSize { get; init; }

    /// <summary>Whether all databases were restored beside.</summary>
    public bool IsWholeCluster { get; init; }

    /// <summary>How many segments of WAL were replayed.</summary>
    public int WalSegmentCount { get; init; }

    /// <summary>When it began.</summary>
    public required DateTimeOffset StartTime { get; init; }

    /// <summary>How long it took.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>The steps.</summary>
    public required IReadOnlyList<RestorePhase> Phases { get; init; }

    /// <summary>What needs attention.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>The repository, as it was named.</summary>
    public required string Repository { get; init; }

    /// <summary><c>app.orders of app</c></summary>
    public override string ToString() => $"{string.Join(", ", Tables)} of {Database}";
}
