using System.Text.RegularExpressions;

namespace PgBackup;

/// <summary>How a restore of a database ended.</summary>
public enum DatabaseRestoreStatus
{
    /// <summary>All that was asked for is there.</summary>
    Complete,

    /// <summary>Something is missing; the errors name it.</summary>
    Partial,
}

/// <summary>An object of a database as an archive names it.</summary>
/// <param name="Kind">Its kind in PostgreSQL's words: TABLE, TABLE DATA, FK CONSTRAINT.</param>
/// <param name="Schema">Its schema; null where it has none.</param>
/// <param name="Name">Its name; of a part of a table, the table's name comes first.</param>
public sealed partial record DatabaseObject(string Kind, string? Schema, string Name)
{
    /// <summary>Kind and name, for example <c>TABLE app.orders</c>.</summary>
    public override string ToString() => Schema is null ? $"{Kind} {Name}"
        : Kind is "ACL" or "COMMENT" or "SECURITY LABEL" && TypedName().Match(Name) is { Success: true } typed ? $"{Kind} {typed.Groups[1].Value}{Schema}.{typed.Groups[2].Value}"
        : $"{Kind} {Schema}.{Name}";

    // What is said of another object is called by that object's kind and name: TABLE orders, TRIGGER t ON orders.
    [GeneratedRegex(@"^((?:[A-Z]+ )+(?:.+ ON )?)(.+)$", RegexOptions.Singleline)]
    private static partial Regex TypedName();
}

/// <summary>What a restore of a logical backup did.</summary>
public sealed record DatabaseRestoreResult
{
    /// <summary>The database that was restored into; null for globals.</summary>
    public string? Database { get; init; }

    /// <summary>Whether all is there.</summary>
    public required DatabaseRestoreStatus Status { get; init; }

    /// <summary>The backup or the path.</summary>
    public required string Source { get; init; }

    /// <summary>The dump's form.</summary>
    public required DumpFormat Format { get; init; }

    /// <summary>True when the restore created the database.</summary>
    public bool Created { get; init; }

    /// <summary>How many tables were to be restored; null where the dump does not tell.</summary>
    public int? TableCount { get; init; }

    /// <summary>How many objects could not be restored.</summary>
    public int ErrorCount { get; init; }

    /// <summary>The program that restored.</summary>
    public required string Tool { get; init; }

    /// <summary>The server, as host and port.</summary>
    public required string Server { get; init; }

    /// <summary>When it began (UTC).</summary>
    public required DateTimeOffset StartTime { get; init; }

    /// <summary>When it ended (UTC).</summary>
    public required DateTimeOffset FinishTime { get; init; }

    /// <summary>How long it took.</summary>
    public TimeSpan Duration => FinishTime - StartTime;

    /// <summary>The database.</summary>
    public override string ToString() => Database ?? Source;
}
