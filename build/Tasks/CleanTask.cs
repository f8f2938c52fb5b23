namespace PgBackup.Build.Tasks;

/// <summary>Removes what builds have made, but for this program.</summary>
internal sealed class CleanTask : BuildTask
{
    /// <inheritdoc/>
    public override string Name => "Clean";

    /// <inheritdoc/>
    public override string Summary => "remove out/ and every bin/ and obj/ of src/, tests/ and bench/";

    /// <inheritdoc/>
    public override Task<int> RunAsync(string[] arguments)
    {
        List<string> made = [Layout.Out];
        foreach (string top in new[] { "src", "tests", "bench" }.Select(t => Layout.Combine(t)).Where(Directory.Exists))
        {
            foreach (string project in Directory.EnumerateFiles(top, "*.csproj", SearchOption.AllDirectories))
            {
                string folder = Path.GetDirectoryName(project)!;
                made.AddRange([Path.Combine(folder, "bin"), Path.Combine(folder, "obj")]);
            }
        }
        foreach (string folder in made.Where(Directory.Exists))
            Directory.Delete(folder, recursive: true);
        return Task.FromResult(0);
    }
}
