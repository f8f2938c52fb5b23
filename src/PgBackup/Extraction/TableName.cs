using System.Text;
using PgBackup.Errors;

namespace PgBackup.Extraction;

/// <summary>The name of a table as people write it: <c>orders</c>, <c>app.orders</c>, <c>app."my.table"</c>; outside of quotes <c>*</c> and <c>?</c> stand for others.</summary>
/// <param name="Text">As it was written.</param>
/// <param name="Schema">The schema; null when none was given.</param>
/// <param name="Table">The table.</param>
internal sealed record TableName(string Text, NamePart? Schema, NamePart Table)
{
    /// <summary>Reads one. Throws <c>TableNameInvalid</c>.</summary>
    public static TableName Parse(string text)
    {
        var parts = new List<NamePart>();
        for (int position = 0; ;)
        {
            parts.Add(ReadPart(text, ref position));
            if (position == text.Length)
                break;
            position++; // The dot.
        }
        return parts.Count switch
        {
            1 => new TableName(text, null, parts[0]),
            2 => new TableName(text, parts[0], parts[1]),
            _ => throw PgErrors.TableNameInvalid(text, "it has more than one dot; a dot in a name stands in double quotes."),
        };
    }

    private static NamePart ReadPart(string text, ref int position)
    {
        var value = new StringBuilder();
        var pattern = new StringBuilder();
        bool quoted = false, open = false, wild = false;
        for (; position < text.Length && (open || text[position] != '.'); position++)
        {
            char c = text[position];
            if (c == '"' && open && position + 1 < text.Length && text[position + 1] == '"')
            {
                position++;
            }
            else if (c == '"')
            {
                (open, quoted) = (!open, true);
                continue;
            }
            else if (!open && c is '*' or '?')
            {
                wild = true;
                pattern.Append(c == '*' ? '%' : '_');
                continue;
            }
            value.Append(c);
            pattern.Append(c is '%' or '_' or '\\' ? "\\" : "").Append(c);
        }
        if (open)
            throw PgErrors.TableNameInvalid(text, "a double quote is not closed.");
        return value.Length == 0 && !wild
            ? throw PgErrors.TableNameInvalid(text, "a part of it is empty.")
            : new NamePart(value.ToString(), wild ? pattern.ToString() : null, quoted);
    }
}

/// <summary>A part of a name.</summary>
/// <param name="Value">The name.</param>
/// <param name="Pattern">As a pattern of LIKE; null when it has no wildcard.</param>
/// <param name="IsQuoted">Whether quotes were written, so that its capitals are meant.</param>
internal sealed record NamePart(string Value, string? Pattern, bool IsQuoted);
