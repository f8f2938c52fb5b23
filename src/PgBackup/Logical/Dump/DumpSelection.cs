namespace PgBackup.Logical.Dump;

/// <summary>Databases by name: a literal one, or a pattern with what it matches.</summary>
/// <param name="Text">As it was written.</param>
/// <param name="Matches">What it matches; null for a literal name. A database of exactly the written name goes before what the pattern matches.</param>
public sealed record DatabasePattern(string Text, Func<string, bool>? Matches = null);

/// <summary>Which databases of a server to dump.</summary>
public sealed record DumpSelection
{
    /// <summary>All that take connections and are no templates.</summary>
    public bool All { get; init; }

    /// <summary>Those that are wanted; none and not <see cref="All"/>: that of the connection.</summary>
    public IReadOnlyList<DatabasePattern> Databases { get; init; } = [];

    /// <summary>Those that are not.</summary>
    public IReadOnlyList<DatabasePattern> Excluded { get; init; } = [];

    internal bool IsExcluded(string name) => Excluded.Any(pattern => pattern.Text == name || pattern.Matches?.Invoke(name) == true);
}
