using System.Globalization;
using System.Text;
using PgBackup.Errors;

namespace PgBackup.Postgres.Files;

/// <summary>One tablespace of a <see cref="TablespaceMap"/>.</summary>
/// <param name="Oid">The tablespace's oid, the name of its link in <c>pg_tblspc</c>.</param>
/// <param name="Location">The folder that the link leads to.</param>
public sealed record TablespaceLocation(uint Oid, string Location);

/// <summary>
/// The file <c>tablespace_map</c> of a base backup, from which the server makes the links in <c>pg_tblspc</c> anew when it starts from
/// backup_label (PostgreSQL source: xlog.c "do_pg_backup_start", xlogrecovery.c "read_tablespace_map"). Line breaks and backslashes in a
/// location have a backslash before them.
/// </summary>
public sealed record TablespaceMap(IReadOnlyList<TablespaceLocation> Entries)
{
    /// <summary>The file's name in the data directory.</summary>
    public const string FileName = "tablespace_map";

    /// <summary>A cluster without tablespaces of its own; the server writes no file then.</summary>
    public static readonly TablespaceMap Empty = new([]);

    /// <summary>Reads the file's text.</summary>
    /// <exception cref="PgBackupException">TablespaceMapInvalid.</exception>
    public static TablespaceMap Parse(string text)
    {
        var entries = new List<TablespaceLocation>();
        var line = new StringBuilder();
        bool escaped = false;
        foreach (char c in text)
        {
            if (!escaped && c is '\n' or '\r')
            {
                if (line.Length > 0)
                    entries.Add(ParseLine(line.ToString()));
                line.Clear();
            }
            else if (!escaped && c == '\\')
            {
                escaped = true;
            }
            else
            {
                line.Append(c);
                escaped = false;
            }
        }
        if (line.Length > 0 || escaped)
            throw PgErrors.TablespaceMapInvalid("its last line has no end");
        return new TablespaceMap(entries);
    }

    /// <summary>The file's text, as the server writes it.</summary>
    public string Format()
    {
        var text = new StringBuilder();
        foreach (TablespaceLocation entry in Entries)
        {
            text.Append(CultureInfo.InvariantCulture, $"{entry.Oid} ");
            foreach (char c in entry.Location)
            {
                if (c is '\n' or '\r' or '\\')
                    text.Append('\\');
                text.Append(c);
            }
            text.Append('\n');
        }
        return text.ToString();
    }

    /// <summary>The same tablespaces at other places: those whose oid is a key of <paramref name="locations"/>; the rest stay.</summary>
    public TablespaceMap Rewrite(IReadOnlyDictionary<uint, string> locations)
    {
        var entries = new List<TablespaceLocation>(Entries.Count);
        foreach (TablespaceLocation entry in Entries)
            entries.Add(locations.TryGetValue(entry.Oid, out string? location) ? entry with { Location = location } : entry);
        return new TablespaceMap(entries);
    }

    /// <summary>Two maps are equal when their entries are, in order.</summary>
    public bool Equals(TablespaceMap? other) => other is not null && Entries.SequenceEqual(other.Entries);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        foreach (TablespaceLocation entry in Entries)
            hash.Add(entry);
        return hash.ToHashCode();
    }

    private static TablespaceLocation ParseLine(string line)
    {
        int space = line.IndexOf(' ', StringComparison.Ordinal);
        if (space < 1 || space == line.Length - 1
            || !uint.TryParse(line.AsSpan(0, space), NumberStyles.None, CultureInfo.InvariantCulture, out uint oid) || oid == 0)
            throw PgErrors.TablespaceMapInvalid($"the line '{line}' is not an oid and a location");
        return new TablespaceLocation(oid, line[(space + 1)..]);
    }
}
