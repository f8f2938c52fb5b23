using System.Xml.Linq;

namespace PgBackup.Build.Help;

/// <summary>Writes the pages as the XML that Get-Help reads (MAML).</summary>
internal static class MamlWriter
{
    private static readonly XNamespace s_root = "http://msh";
    private static readonly XNamespace s_command = "http://schemas.microsoft.com/maml/dev/command/2004/10";
    private static readonly XNamespace s_maml = "http://schemas.microsoft.com/maml/2004/10";
    private static readonly XNamespace s_dev = "http://schemas.microsoft.com/maml/dev/2004/10";

    public static XDocument Write(IEnumerable<(HelpPage Page, CmdletShape Shape)> cmdlets, HelpPage common) => new(
        new XElement(s_root + "helpItems", new XAttribute("schema", "maml"), cmdlets.Select(c => Command(c.Page, c.Shape, common))));

    private static XElement Command(HelpPage page, CmdletShape shape, HelpPage common) => new(
        s_command + "command",
        new XAttribute(XNamespace.Xmlns + "command", s_command),
        new XAttribute(XNamespace.Xmlns + "maml", s_maml),
        new XAttribute(XNamespace.Xmlns + "dev", s_dev),
        new XElement(s_command + "details",
            new XElement(s_command + "name", shape.Name),
            new XElement(s_command + "verb", shape.Verb),
            new XElement(s_command + "noun", shape.Noun),
            Paragraphs("description", page.Synopsis)),
        Paragraphs("description", page.Description),
        new XElement(s_command + "syntax", shape.Sets.Select(set => new XElement(s_command + "syntaxItem",
            new XElement(s_maml + "name", shape.Name),
            set.Select(parameter => Parameter(page, common, parameter, inSyntax: true))))),
        new XElement(s_command + "parameters",
            shape.Sets.SelectMany(set => set).DistinctBy(p => p.Name).OrderBy(p => p.Name, StringComparer.Ordinal).Select(p => Parameter(page, common, p, inSyntax: false))),
        new XElement(s_command + "returnValues", page.Outputs.Select(output => new XElement(s_command + "returnValue",
            new XElement(s_dev + "type", new XElement(s_maml + "name", output.Type)),
            Paragraphs("description", output.Text)))),
        new XElement(s_maml + "alertSet", new XElement(s_maml + "alert", Lines(page.Notes))),
        new XElement(s_command + "examples", page.Examples.Select(example => new XElement(s_command + "example",
            new XElement(s_maml + "title", $"--- {example.Title} ---"),
            new XElement(s_dev + "code", example.Code),
            new XElement(s_dev + "remarks", Lines(example.Remarks))))),
        new XElement(s_command + "relatedLinks", page.Links.Select(link => new XElement(s_maml + "navigationLink",
            new XElement(s_maml + "linkText", link), new XElement(s_maml + "uri")))));

    private static XElement Parameter(HelpPage page, HelpPage common, ParameterShape parameter, bool inSyntax)
    {
        string text = parameter.Name switch
        {
            "WhatIf" => "Shows what would happen; nothing is changed.",
            "Confirm" => "Asks before it goes on.",
            _ => page.Parameters.TryGetValue(parameter.Name, out string? found) || common.Parameters.TryGetValue(parameter.Name, out found)
                ? found
                : throw new BuildException($"docs/{page.Name}.md does not describe -{parameter.Name}."),
        };
        var element = new XElement(s_command + "parameter",
            new XAttribute("required", parameter.Mandatory ? "true" : "false"),
            new XAttribute("variableLength", "true"),
            new XAttribute("globbing", parameter.Wildcards ? "true" : "false"),
            new XAttribute("pipelineInput", parameter.Pipeline),
            new XAttribute("position", parameter.Position?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "named"),
            new XAttribute("aliases", parameter.Aliases.Count == 0 ? "none" : string.Join(", ", parameter.Aliases)),
            new XElement(s_maml + "name", parameter.Name),
            Paragraphs("Description", text));
        if (inSyntax && parameter.Values.Count > 0)
            element.Add(new XElement(s_command + "parameterValueGroup", parameter.Values.Select(value => new XElement(s_command + "parameterValue", value))));
        if (!(inSyntax && parameter.IsSwitch))
            element.Add(new XElement(s_command + "parameterValue", new XAttribute("required", parameter.IsSwitch ? "false" : "true"), parameter.Type));
        element.Add(new XElement(s_dev + "type", new XElement(s_maml + "name", parameter.Type), new XElement(s_maml + "uri")));
        return element;
    }

    private static XElement Paragraphs(string name, string text) => new(s_maml + name, Lines(text));

    // Blank lines part paragraphs; a verbatim block keeps its lines.
    private static IEnumerable<XElement> Lines(string text) =>
        text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(paragraph => new XElement(s_maml + "para", paragraph.Trim('\n')));
}
