using PgBackup.Errors;

namespace PgBackup.Logical.Load;

/// <summary>
/// Which entries of an archive make up the tables or schemas that were asked for. pg_restore's own --table takes the bare table alone, in any schema; here a table comes with its data, indexes,
/// constraints, triggers, policies, owned sequences, comments and rights, and a partitioned one with its partitions.
/// </summary>
internal sealed class TocSelection
{
    private readonly ArchiveToc _toc;
    private readonly Dictionary<int, TocEntry> _byId;
    private readonly HashSet<int> _chosen = [], _relations = [];

    private TocSelection(ArchiveToc toc)
    {
        _toc = toc;
        _byId = new Dictionary<int, TocEntry>(toc.Entries.Count);
        foreach (TocEntry entry in toc.Entries)
            _byId.TryAdd(entry.Id, entry);
    }

    /// <summary>The relations that were asked for, with owned sequences and partitions.</summary>
    public IReadOnlyList<TocEntry> Relations => [.. _toc.Entries.Where(e => _relations.Contains(e.Id))];

    /// <summary>The chosen entries in the archive's order.</summary>
    public IReadOnlyList<TocEntry> Entries => [.. _toc.Entries.Where(e => _chosen.Contains(e.Id))];

    /// <summary>What the chosen need and is not among them: what of it the target has not should come along, see <see cref="Complete"/>.</summary>
    public IReadOnlyList<TocEntry> Needed { get; private set; } = [];

    /// <summary>Chooses. Throws <c>TableNotInDump</c>, <c>TableAmbiguous</c>, <c>SchemaNotInDump</c>.</summary>
    public static TocSelection Choose(ArchiveToc toc, string dump, IReadOnlyList<string> tables, IReadOnlyList<string> schemas)
    {
        var selection = new TocSelection(toc);
        foreach (string schema in schemas)
        {
            if (!toc.Entries.Any(e => e.Schema == schema || (e.Kind == "SCHEMA" && e.Name == schema)))
                throw PgErrors.SchemaNotInDump(schema, dump);
        }
        if (tables.Count == 0)
            selection.AddSchemas(schemas);
        foreach (string table in tables)
            selection.AddRelation(FindTable(toc, dump, table, schemas));
        selection.AddBelongings();
        selection.Needed = selection.FindNeeded();
        return selection;
    }

    /// <summary>
    /// Adds what is needed and not in the target, and leaves out what ties a chosen table to one that is neither chosen nor in the target. Returns what was left out.
    /// </summary>
    /// <param name="inTarget">What of <see cref="Needed"/> the target has.</param>
    public IReadOnlyList<TocEntry> Complete(IReadOnlySet<int> inTarget)
    {
        foreach (TocEntry entry in Needed)
        {
            if (!inTarget.Contains(entry.Id) && !entry.IsRelation && entry.Kind != "INDEX")
                _chosen.Add(entry.Id);
        }
        AddBelongings();
        var left = new List<TocEntry>();
        foreach (TocEntry entry in _toc.Entries)
        {
            if (_chosen.Contains(entry.Id) && entry.Kind is "FK CONSTRAINT" or "TABLE ATTACH" or "INDEX ATTACH"
                && entry.Dependencies.Any(id => _byId.TryGetValue(id, out TocEntry? other) && (other.IsRelation || other.Kind == "INDEX") && !_chosen.Contains(id) && !inTarget.Contains(id))
                && _chosen.Remove(entry.Id))
                left.Add(entry);
        }
        return left;
    }

    /// <summary>Whether a table of the archive has this name, as it was typed: <c>table</c>, <c>schema.table</c>, either in double quotes where it holds dots.</summary>
    internal static bool IsNamed(TocEntry entry, string text) =>
        entry.Name == text || $"{entry.Schema}.{entry.Name}" == text || SqlText.Identifier(entry.Name) == text
        || $"{SqlText.Identifier(entry.Schema ?? "")}.{SqlText.Identifier(entry.Name)}" == text
        || $"{entry.Schema}.{SqlText.Identifier(entry.Name)}" == text || $"{SqlText.Identifier(entry.Schema ?? "")}.{entry.Name}" == text;

    private static TocEntry FindTable(ArchiveToc toc, string dump, string text, IReadOnlyList<string> schemas)
    {
        List<TocEntry> found = [.. toc.Entries.Where(e => e.IsRelation && IsNamed(e, text) && (schemas.Count == 0 || schemas.Contains(e.Schema ?? "")))];
        if (found.Count == 1)
            return found[0];
        if (found.Count > 1)
            throw PgErrors.TableAmbiguous(text, dump, [.. found.Take(5).Select(e => $"{e.Schema}.{e.Name}")]);
        string last = text[(text.LastIndexOf('.') + 1)..].Trim('"');
        throw PgErrors.TableNotInDump(text, dump, [.. toc.Entries.Where(e => e.IsRelation && e.Name.Contains(last, StringComparison.OrdinalIgnoreCase)).Take(5).Select(e => $"{e.Schema}.{e.Name}")]);
    }

    private void AddSchemas(IReadOnlyList<string> schemas)
    {
        var wanted = new HashSet<string>(schemas, StringComparer.Ordinal);
        foreach (TocEntry entry in _toc.Entries)
        {
            if (entry.Schema is null || !wanted.Contains(entry.Schema) || entry.Kind.StartsWith("PUBLICATION", StringComparison.Ordinal))
                continue;
            _chosen.Add(entry.Id);
            if (entry.IsRelation)
                _relations.Add(entry.Id);
        }
    }

    private void AddRelation(TocEntry entry)
    {
        if (!_relations.Add(entry.Id))
            return;
        _chosen.Add(entry.Id);
        foreach (TocEntry other in _toc.Entries)
        {
            // A sequence depends on a table when a column owns it.
            if (other.Kind == "SEQUENCE" && other.Dependencies.Contains(entry.Id))
                AddRelation(other);
            if (other.Kind == "TABLE ATTACH" && other.Dependencies.Contains(entry.Id) && !Names(other, entry)
                && other.Dependencies.Select(id => _byId.GetValueOrDefault(id)).FirstOrDefault(e => e is not null && Names(other, e)) is { } partition)
                AddRelation(partition);
        }
    }

    // Each round may find what belongs to what the one before found: the comment of a constraint of a table.
    private void AddBelongings()
    {
        for (bool found = true; found;)
        {
            found = false;
            foreach (TocEntry entry in _toc.Entries)
            {
                if (!_chosen.Contains(entry.Id) && Belongs(entry))
                    found |= _chosen.Add(entry.Id);
            }
        }
    }

    private bool Belongs(TocEntry entry) => entry.Kind switch
    {
        "TABLE DATA" or "MATERIALIZED VIEW DATA" or "CONSTRAINT" or "CHECK CONSTRAINT" or "FK CONSTRAINT" or "TRIGGER" or "RULE" or "POLICY" or "ROW SECURITY" or "DEFAULT" or "TABLE ATTACH" =>
            entry.Dependencies.Any(id => _relations.Contains(id) && Names(entry, _byId[id])),
        "INDEX" or "INDEX ATTACH" or "STATISTICS" => entry.Dependencies.Any(id => _relations.Contains(id)),
        "COMMENT" or "ACL" or "SECURITY LABEL" or "SEQUENCE OWNED BY" or "SEQUENCE SET" or "STATISTICS DATA" => entry.Dependencies.Any(_chosen.Contains),
        _ => false,
    };

    // The tag of a part of a table is the table's name, a blank, and the part's; blanks may be in either.
    private static bool Names(TocEntry part, TocEntry relation) =>
        part.Schema == relation.Schema && part.Name.StartsWith(relation.Name, StringComparison.Ordinal) && (part.Name.Length == relation.Name.Length || part.Name[relation.Name.Length] == ' ');

    private List<TocEntry> FindNeeded()
    {
        var needed = new HashSet<int>();
        var open = new Queue<int>(_chosen);
        while (open.TryDequeue(out int id))
        {
            foreach (int other in _byId[id].Dependencies)
            {
                // What a table that is left where it is needs in its turn is its own affair.
                if (_byId.TryGetValue(other, out TocEntry? entry) && !_chosen.Contains(other) && needed.Add(other) && !entry.IsRelation)
                    open.Enqueue(other);
            }
        }
        return [.. _toc.Entries.Where(e => needed.Contains(e.Id) && (e.IsRelation
            || e.Kind is "SCHEMA" or "EXTENSION" or "TYPE" or "SHELL TYPE" or "DOMAIN" or "FUNCTION" or "PROCEDURE" or "AGGREGATE" or "INDEX"))];
    }
}
