using System.Text;

namespace PgBackup.Build.Help;

/// <summary>An example of a cmdlet's page.</summary>
/// <param name="Title">Its heading.</param>
/// <param name="Code">What to type.</param>
/// <param name="Remarks">Output and explanation.</param>
internal sealed record HelpExample(string Title, string Code, string Remarks);

/// <summary>A page of <c>docs/</c> on a cmdlet: headings as PlatyPS knows them, plain markdown below.</summary>
internal sealed class HelpPage
{
    private readonly Dictionary<string, string> _sections = new(StringComparer.OrdinalIgnoreCase);

    private HelpPage(string name)
    {
        Name = name;
    }

    /// <summary>The cmdlet.</summary>
    public string Name { get; }

    /// <summary>What it does, in one sentence.</summary>
    public string Synopsis => Plain(Section("SYNOPSIS"));

    /// <summary>What it does, at length.</summary>
    public string Description => Plain(Section("DESCRIPTION"));

    /// <summary>What else there is to know; empty when nothing.</summary>
    public string Notes => Plain(_sections.GetValueOrDefault("NOTES", ""));

    /// <summary>The names of related cmdlets.</summary>
    public string[] Links => Plain(_sections.GetValueOrDefault("RELATED LINKS", "")).Split([',', '\n'], StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The type of what it writes, and what that is.</summary>
    public IEnumerable<(string Type, string Text)> Outputs => Parts(_sections.GetValueOrDefault("OUTPUTS", "")).Select(p => (p.Title, Plain(p.Body)));

    /// <summary>What each parameter means, by name without the dash.</summary>
    public IReadOnlyDictionary<string, string> Parameters =>
        Parts(Section("PARAMETERS")).ToDictionary(p => p.Title.TrimStart('-'), p => Plain(WithoutYaml(p.Body)), StringComparer.OrdinalIgnoreCase);

    /// <summary>The examples.</summary>
    public IReadOnlyList<HelpExample> Examples => [.. Parts(Section("EXAMPLES")).Select(ToExample)];

    public static HelpPage Read(string path)
    {
        var page = new HelpPage(Path.GetFileNameWithoutExtension(path));
        string? section = null;
        var body = new StringBuilder();
        bool inCode = false;
        foreach (string line in File.ReadLines(path))
        {
            inCode ^= line.StartsWith("```", StringComparison.Ordinal);
            if (!inCode && line.StartsWith("## ", StringComparison.Ordinal))
            {
                page.Keep(section, body);
                section = line[3..].Trim();
            }
            else
            {
                body.Append(line).Append('\n');
            }
        }
        page.Keep(section, body);
        return page;
    }

    /// <summary>Markdown as a console shows it: no fences, no backticks, paragraphs on one line each.</summary>
    public static string Plain(string markdown)
    {
        var text = new StringBuilder();
        bool inCode = false, joined = false;
        foreach (string line in markdown.Split('\n'))
        {
            if (line.StartsWith("```", StringComparison.Ordinal))
            {
                inCode = !inCode;
                joined = false;
                continue;
            }
            bool verbatim = inCode || line.StartsWith("    ", StringComparison.Ordinal) || line.StartsWith('|');
            bool starts = verbatim || line.Length == 0 || line.StartsWith("- ", StringComparison.Ordinal) || line.StartsWith("* ", StringComparison.Ordinal) || line.StartsWith('#');
            if (text.Length > 0)
                text.Append(joined && !starts ? ' ' : '\n');
            string shown = verbatim ? line : line.Replace("`", "", StringComparison.Ordinal).Replace("**", "", StringComparison.Ordinal).TrimStart('#').Trim();
            text.Append(shown);
            joined = !verbatim && line.Length > 0 && !line.StartsWith('#');
        }
        return text.ToString().Trim('\n');
    }

    private static HelpExample ToExample((string Title, string Body) part)
    {
        int start = part.Body.IndexOf("```", StringComparison.Ordinal);
        int end = start < 0 ? -1 : part.Body.IndexOf("\n```", start + 3, StringComparison.Ordinal);
        if (end < 0)
            return new HelpExample(part.Title, "", Plain(part.Body));
        int code = part.Body.IndexOf('\n', start) + 1;
        string remarks = part.Body[..start] + part.Body[(end + 4)..];
        return new HelpExample(part.Title, part.Body[code..end], Plain(remarks));
    }

    private static IEnumerable<(string Title, string Body)> Parts(string section)
    {
        foreach (string part in ("\n" + section).Split("\n### ").Skip(1))
        {
            int end = part.IndexOf('\n', StringComparison.Ordinal);
            yield return end < 0 ? (part.Trim(), "") : (part[..end].Trim(), part[(end + 1)..].Trim('\n'));
        }
    }

    // PlatyPS's tables of attributes: the assembly says the same.
    private static string WithoutYaml(string body)
    {
        int yaml = body.IndexOf("```yaml", StringComparison.OrdinalIgnoreCase);
        return yaml < 0 ? body : body[..yaml];
    }

    private string Section(string name) =>
        _sections.TryGetValue(name, out string? body) ? body : throw new BuildException($"docs/{Name}.md has no section '{name}'.");

    private void Keep(string? section, StringBuilder body)
    {
        if (section is not null)
            _sections[section] = body.ToString().Trim('\n');
        body.Clear();
    }
}
