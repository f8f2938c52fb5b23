using System.Text;

namespace PgBackup.Logical.Dump;

/// <summary>
/// A pattern of schemas or tables as pg_dump and psql read it (PostgreSQL documentation, psql, "Patterns"; patternToSQLRegex in src/fe_utils/string_utils.c), as regular expressions of the server.
/// </summary>
/// <param name="Schema">The schema's expression; null when the pattern names none.</param>
/// <param name="Name">The name's expression.</param>
internal sealed record NamePattern(string? Schema, string Name)
{
    /// <summary>Reads a pattern; of a table, of which the schema may stand before a dot.</summary>
    public static NamePattern Parse(string pattern)
    {
        var parts = new List<string>();
        var part = new StringBuilder("^(");
        bool quoted = false;
        for (int at = 0; at < pattern.Length; at++)
        {
            char c = pattern[at];
            if (c == '"')
            {
                if (quoted && at + 1 < pattern.Length && pattern[at + 1] == '"')
                {
                    part.Append('"');
                    at++;
                }
                else
                    quoted = !quoted;
            }
            else if (!quoted && c == '.')
            {
                parts.Add(part.Append(")$").ToString());
                part = new StringBuilder("^(");
            }
            else if (!quoted && c == '*')
                part.Append(".*");
            else if (!quoted && c == '?')
                part.Append('.');
            else if (c == '$')
                part.Append("\\$"); // No end of a name: names may hold it.
            else if (quoted && "|*+?()[]{}.^\\".Contains(c, StringComparison.Ordinal))
                part.Append('\\').Append(c);
            else if (!quoted && c == '[' && at + 1 < pattern.Length && pattern[at + 1] == ']')
                part.Append('\\').Append(c); // An array type's brackets are no empty set.
            else
                part.Append(quoted ? c : char.ToLowerInvariant(c));
        }
        parts.Add(part.Append(")$").ToString());
        return new NamePattern(parts.Count > 1 ? parts[^2] : null, parts[^1]);
    }
}
