using System.Text;
using PgBackup.Restore.Fetching;

namespace PgBackup.Restore.Starting;

/// <summary>Writes configuration files of a restored cluster without what leads to the files of its source.</summary>
/// <param name="destination">Where they go.</param>
/// <param name="sourceDirectory">The data directory of the source, where it is known.</param>
/// <param name="kept">The files kept beside the backup, by their old path; null when none were.</param>
/// <param name="warnings">Takes what is left out.</param>
internal sealed class ConfigurationRewriter(RestoreDestination destination, string? sourceDirectory, Dictionary<string, byte[]>? kept, List<string> warnings)
{
    /// <summary>Where files lie, by their old path, that lay outside of the data directory.</summary>
    public const string Folder = "pgbackup_config";

    // Paths of the source, which would lead the restored server into its files. Their defaults are right.
    private static readonly HashSet<string> s_paths = new(StringComparer.Ordinal) { "data_directory", "hba_file", "ident_file", "config_file", "external_pid_file" };

    /// <summary>Rewrites a file that lay in the data directory.</summary>
    public void RewriteOwn(string relative, string text) => Rewrite(relative, text, Path.Combine(sourceDirectory ?? destination.Root, relative));

    /// <summary>Writes a file that lay at <paramref name="origin"/>, with includes led to where the included files lie now.</summary>
    public void Rewrite(string relative, string text, string origin)
    {
        var result = new StringBuilder(text.Length);
        foreach (string line in text.Split('\n'))
        {
            string? name = ConfigurationText.NameOf(line);
            if (name is not null && s_paths.Contains(name))
                result.Append("# Left out by PgBackup: ").Append(line);
            else if (name is "include" or "include_dir" or "include_if_exists")
                result.Append(Include(name, line, origin));
            else
                result.Append(line);
            result.Append('\n');
        }
        destination.WriteFile(relative, Encoding.UTF8.GetBytes(result.ToString(0, Math.Max(0, result.Length - 1))));
    }

    private string Include(string name, string line, string origin)
    {
        string old = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(origin) ?? "/", ConfigurationText.ValueOf(line)));
        string root = sourceDirectory ?? destination.Root;
        if (old.StartsWith(root + "/", StringComparison.Ordinal))
            return $"{name} {ConfigurationText.Quote(destination.Root + old[root.Length..])}"; // It came with the data directory.
        if (kept is not null && kept.Keys.Any(f => f == old || f.StartsWith(old + "/", StringComparison.Ordinal)))
            return $"{name} {ConfigurationText.Quote(Path.Combine(destination.Root, Folder) + old)}";
        // A backup of another tool keeps nothing beside it; then what lies on this machine is the best there is.
        if (name == "include_if_exists" || (kept is null && Path.Exists(old)))
            return line;
        // An empty folder is no loss.
        if (name == "include" || kept is null)
            warnings.Add($"Left out of the restored configuration, nothing of it is in the backup: {line.Trim()}");
        return "# Left out by PgBackup, nothing of it is in the backup: " + line;
    }
}
