using System.Globalization;

namespace PgBackup.Logical.Comparison;

/// <summary>Holds what a dump restored to against what was dumped.</summary>
internal static class ContentsComparison
{
    /// <summary>
    /// What differs: objects that are missing or too many, tables with other numbers of rows, another number of large objects. Objects are compared by kind and name: the server writes the
    /// definition of a thing that it has parsed twice in other words (<c>'a'::character varying</c> within an array), so that texts differ which mean the same.
    /// </summary>
    public static IEnumerable<DumpDifference> Compare(DatabaseContents dumped, DatabaseContents restored)
    {
        var balance = new Dictionary<ContentObject, int>();
        foreach (ContentObject item in dumped.Objects)
            balance[item] = balance.GetValueOrDefault(item) + 1;
        foreach (ContentObject item in restored.Objects)
            balance[item] = balance.GetValueOrDefault(item) - 1;
        foreach ((ContentObject item, int count) in balance)
        {
            if (count != 0)
                yield return new DumpDifference(item.ToString(), count > 0 ? "was dumped, and is not there" : "is there, and was not dumped");
        }
        foreach ((TableName table, long? rows) in dumped.Rows)
        {
            if (!restored.Rows.TryGetValue(table, out long? found) || found is null)
                yield return new DumpDifference(table.ToString(), $"{Rows(rows)} dumped, and the table is not there");
            else if (found != rows)
                yield return new DumpDifference(table.ToString(), $"{Rows(rows)} dumped, {found.Value.ToString(CultureInfo.InvariantCulture)} restored");
        }
        if (dumped.LargeObjects is { } expected && restored.LargeObjects != expected)
            yield return new DumpDifference("LARGE OBJECTS", string.Create(CultureInfo.InvariantCulture, $"{expected} dumped, {restored.LargeObjects ?? 0} restored"));
    }

    private static string Rows(long? count) => count == 1 ? "1 row was" : string.Create(CultureInfo.InvariantCulture, $"{count ?? 0} rows were");
}
