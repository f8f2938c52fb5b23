using System.Text.RegularExpressions;
using PgBackup.Errors;

namespace PgBackup.Configuration.Files;

/// <summary>Nodes into the file's things: every name is known, every value fits, every path is a full one.</summary>
internal sealed partial class ConfigurationReader(string path, string? home)
{
    private readonly string _folder = Path.GetDirectoryName(path) ?? "/";

    /// <summary>Reads the whole; null is a file without content.</summary>
    public ConfigurationFile Read(MapNode? root)
    {
        Dictionary<string, ConfiguredThing> repositories = [], servers = [];
        MapNode? defaults = null;
        foreach (MapEntry entry in root?.Entries ?? [])
        {
            switch (entry.Name)
            {
                case "version":
                    if (Scalar(entry).Text is not "1" and { } version)
                        throw Invalid(entry.Line, $"version {version} is not known.", "Write version: 1, or use a newer PgBackup.");
                    break;
                case "repositories":
                    repositories = Things(entry, ConfigurationKeys.Repository, ofServer: false);
                    break;
                case "servers":
                    servers = Things(entry, ConfigurationKeys.Server, ofServer: true);
                    break;
                case "defaults":
                    defaults = Map(entry);
                    break;
                default:
                    throw Unknown(entry, ConfigurationKeys.Top, ofServer: false);
            }
        }
        foreach (ConfiguredThing repository in repositories.Values)
            CheckRepository(repository);
        return new ConfigurationFile(path, repositories, servers, Default(defaults, "repository", repositories.Keys), Default(defaults, "server", servers.Keys));
    }

    private Dictionary<string, ConfiguredThing> Things(MapEntry section, Dictionary<string, Action<Setting>> keys, bool ofServer)
    {
        var things = new Dictionary<string, ConfiguredThing>(StringComparer.Ordinal);
        foreach (MapEntry entry in Map(section).Entries)
        {
            if (!NamePattern().IsMatch(entry.Name))
                throw Invalid(entry.Line, $"'{entry.Name}' cannot be a name.", "A name begins with a letter and holds letters, digits, '.', '-' and '_'.");
            var settings = new Dictionary<string, Setting>(StringComparer.Ordinal);
            Collect(Map(entry), "", keys, settings, ofServer);
            things.Add(entry.Name, new ConfiguredThing(entry.Name, entry.Line, settings));
        }
        return things;
    }

    private void Collect(MapNode map, string before, Dictionary<string, Action<Setting>> keys, Dictionary<string, Setting> settings, bool ofServer)
    {
        foreach (MapEntry entry in map.Entries)
        {
            string name = before + entry.Name;
            if (keys.Keys.Any(key => key.StartsWith(name + ".", StringComparison.Ordinal)))
            {
                Collect(Map(entry), name + ".", keys, settings, ofServer);
                continue;
            }
            if (!keys.TryGetValue(name, out Action<Setting>? check))
                throw Unknown(entry, keys.Keys.Where(key => key.StartsWith(before, StringComparison.Ordinal)).Select(key => key[before.Length..].Split('.')[0]), ofServer);
            ScalarNode value = Scalar(entry);
            var setting = new Setting(name, value.Text, $"{path}:{value.Line}");
            if (name == "location" ? !value.Text.Contains("://", StringComparison.Ordinal) : ConfigurationKeys.Paths.Contains(name))
                setting = setting with { Text = FullPath(value) };
            check(setting);
            settings.Add(name, setting);
        }
    }

    private void CheckRepository(ConfiguredThing repository)
    {
        if (!repository.Settings.TryGetValue("location", out Setting? location))
            throw Invalid(repository.Line, $"the repository '{repository.Name}' has no location.", "Add location: s3://bucket/prefix, or the path of a folder.");
        if (repository.Settings.ContainsKey("encryption.keyTransform") && !repository.Settings.ContainsKey("encryption.keyFile"))
            throw PgErrors.SettingsContradict(repository.Settings["encryption.keyTransform"], "there is no keyFile.", "Add keyFile: with the path of the file that holds the key.");
        if (RepositoryLocation.Parse(location, "/").IsS3)
            return;
        foreach (string name in ConfigurationKeys.OfBuckets)
        {
            if (repository.Settings.TryGetValue(name, out Setting? setting))
                throw PgErrors.SettingsContradict(setting, $"the repository '{repository.Name}' is a folder.", "Take it out, or give the repository a location such as s3://bucket/prefix.");
        }
    }

    private Setting? Default(MapNode? defaults, string kind, ICollection<string> names)
    {
        Setting? found = null;
        foreach (MapEntry entry in defaults?.Entries ?? [])
        {
            if (!ConfigurationKeys.Defaults.Contains(entry.Name))
                throw Unknown(entry, ConfigurationKeys.Defaults, ofServer: false);
            if (entry.Name != kind)
                continue;
            ScalarNode name = Scalar(entry);
            if (!names.Contains(name.Text))
                throw Invalid(name.Line, $"there is no {kind} '{name.Text}' in the file.", Hint(name.Text, names, $"The file knows: {string.Join(", ", names)}."));
            found = new Setting(kind, name.Text, $"{path}:{name.Line}");
        }
        return found;
    }

    private string FullPath(ScalarNode value)
    {
        if (value.Text is not ("~" or ['~', '/', ..]))
            return Path.GetFullPath(value.Text, _folder);
        return home is null
            ? throw Invalid(value.Line, "this account has no home folder for ~ to stand for.", "Write the full path.")
            : Path.GetFullPath(home + value.Text[1..]);
    }

    private MapNode Map(MapEntry entry) => entry.Value switch
    {
        MapNode map => map,
        ScalarNode { Text: "" } => new MapNode(entry.Line, []),
        _ => throw Invalid(entry.Line, $"'{entry.Name}' stands for names and values, not for {(entry.Value is ListNode ? "a list" : "one value")}.", "See about_PgBackup_Configuration for its shape."),
    };

    private ScalarNode Scalar(MapEntry entry) => entry.Value switch
    {
        ScalarNode { Text: "" } => throw Invalid(entry.Line, $"'{entry.Name}' has no value.", "Give it one, or take the line out."),
        ScalarNode value => value,
        _ => throw Invalid(entry.Line, $"'{entry.Name}' takes one value.", "See about_PgBackup_Configuration for its shape."),
    };

    private PgBackupException Unknown(MapEntry entry, IEnumerable<string> known, bool ofServer) =>
        ConfigurationKeys.InsteadOf(entry.Name, ofServer) is { } instead
            ? PgErrors.ConfigurationHoldsSecret(path, entry.Line, entry.Name, instead)
            : Invalid(entry.Line, $"'{entry.Name}' is not known here.", Hint(entry.Name, known.Distinct(), $"Known are: {string.Join(", ", known.Distinct())}."));

    private static string Hint(string written, IEnumerable<string> known, string otherwise) =>
        Suggestion.For(written, known) is { } near ? $"Did you mean {near}?" : otherwise;

    private PgBackupException Invalid(int line, string reason, string hint) => PgErrors.ConfigurationInvalid(path, line, reason, hint);

    [GeneratedRegex(@"\A[A-Za-z][A-Za-z0-9._-]{0,127}\z")]
    private static partial Regex NamePattern();
}
