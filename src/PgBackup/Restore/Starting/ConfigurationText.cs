using System.Text;

namespace PgBackup.Restore.Starting;

/// <summary>Lines of PostgreSQL's configuration files (PostgreSQL documentation, "Parameter Interaction via the Configuration File").</summary>
internal static class ConfigurationText
{
    /// <summary>A setting as a line, its value quoted.</summary>
    public static string Line(string name, string value) => $"{name} = {Quote(value)}";

    /// <summary>A value in quotes: quotes are doubled, and so are backslashes, which the reader takes for escapes.</summary>
    public static string Quote(string value) =>
        $"'{value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "''", StringComparison.Ordinal)}'";

    /// <summary>The name that a line sets, in lower case; null for comments and empty lines.</summary>
    public static string? NameOf(string line)
    {
        ReadOnlySpan<char> text = line.AsSpan().Trim();
        int end = 0;
        while (end < text.Length && (char.IsAsciiLetterOrDigit(text[end]) || text[end] is '_' or '.'))
            end++;
        return end == 0 ? null : text[..end].ToString().ToLowerInvariant();
    }

    /// <summary>The value that a line gives, unquoted.</summary>
    public static string ValueOf(string line)
    {
        string name = NameOf(line) ?? "";
        ReadOnlySpan<char> rest = line.AsSpan().Trim()[name.Length..].TrimStart();
        if (rest.StartsWith("="))
            rest = rest[1..].TrimStart();
        if (!rest.StartsWith("'"))
        {
            int end = rest.IndexOfAny(' ', '\t', '#');
            return (end < 0 ? rest : rest[..end]).ToString();
        }
        var value = new StringBuilder();
        for (int i = 1; i < rest.Length; i++)
        {
            if (rest[i] == '\'')
            {
                if (i + 1 >= rest.Length || rest[i + 1] != '\'')
                    break;
                i++;
            }
            else if (rest[i] == '\\' && i + 1 < rest.Length)
            {
                i++;
            }
            value.Append(rest[i]);
        }
        return value.ToString();
    }
}
