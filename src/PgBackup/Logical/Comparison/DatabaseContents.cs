namespace PgBackup.Logical.Comparison;

/// <summary>An object of a schema, as pg_dump names it.</summary>
internal readonly record struct ContentObject(string Kind, string? Schema, string Name)
{
    public override string ToString() => Schema is null ? $"{Kind} {Name}" : $"{Kind} {Schema}.{Name}";
}

/// <summary>The name of a table.</summary>
internal readonly record struct TableName(string Schema, string Name)
{
    public override string ToString() => $"TABLE {Schema}.{Name}";
}

/// <summary>What a database holds, as far as a dump of it is compared.</summary>
internal sealed record DatabaseContents
{
    /// <summary>Its objects; of one name there may be several.</summary>
    public required IReadOnlyList<ContentObject> Objects { get; init; }

    /// <summary>The rows of each table that has rows of its own; null for a table that is not there.</summary>
    public required IReadOnlyDictionary<TableName, long?> Rows { get; init; }

    /// <summary>How many large objects there are; null when they are not compared.</summary>
    public long? LargeObjects { get; init; }

    /// <summary>The schemas that objects lie in and that are not among the objects: a dump of single tables does not hold them.</summary>
    public IEnumerable<string> MissingSchemas()
    {
        var there = Objects.Where(item => item.Kind == "SCHEMA").Select(item => item.Name).ToHashSet(StringComparer.Ordinal);
        return Objects.Select(item => item.Schema).OfType<string>().Where(schema => schema is not ("public" or "pg_catalog") && !there.Contains(schema)).Distinct(StringComparer.Ordinal);
    }
}
