namespace PgBackup.Build.Help;

/// <summary>Makes the module's help out of <c>docs/</c>: a page for each cmdlet, and the topics.</summary>
internal static class HelpStage
{
    /// <summary>Writes the module's <c>en-US</c> folder. Fails when a cmdlet or a parameter has no description, and when a page has no cmdlet.</summary>
    public static void Write(string module)
    {
        string folder = Path.Combine(module, "en-US");
        Directory.CreateDirectory(folder);
        IReadOnlyList<CmdletShape> shapes = CmdletShape.ReadAll(module);
        Dictionary<string, HelpPage> pages = Directory.GetFiles(Layout.Combine("docs"), "*-*.md").Select(HelpPage.Read).ToDictionary(p => p.Name, StringComparer.OrdinalIgnoreCase);
        if (shapes.FirstOrDefault(s => !pages.ContainsKey(s.Name)) is { } undescribed)
            throw new BuildException($"docs/{undescribed.Name}.md is missing.");
        if (pages.Keys.FirstOrDefault(p => !shapes.Any(s => s.Name.Equals(p, StringComparison.OrdinalIgnoreCase))) is { } homeless)
            throw new BuildException($"docs/{homeless}.md describes no cmdlet of the module.");
        // What several cmdlets share is described once; a page may say more of its own.
        HelpPage common = HelpPage.Read(Layout.Combine("docs", "common_parameters.md"));
        MamlWriter.Write(shapes.Select(s => (pages[s.Name], s)), common).Save(Path.Combine(folder, "PgBackup.PowerShell.dll-Help.xml"));
        foreach (string topic in Directory.GetFiles(Layout.Combine("docs"), "about_*.md"))
        {
            string text = HelpPage.Plain(File.ReadAllText(topic)).ReplaceLineEndings();
            File.WriteAllText(Path.Combine(folder, Path.GetFileNameWithoutExtension(topic) + ".help.txt"), text + Environment.NewLine);
        }
    }
}
