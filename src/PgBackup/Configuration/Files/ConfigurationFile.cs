using PgBackup.Errors;

namespace PgBackup.Configuration.Files;

/// <summary>The configuration file: repositories and servers by name, and which of them are meant when none is named. It holds no secrets, only where they are.</summary>
internal sealed class ConfigurationFile
{
    private readonly Dictionary<string, ConfiguredThing> _repositories;
    private readonly Dictionary<string, ConfiguredThing> _servers;

    internal ConfigurationFile(string path, Dictionary<string, ConfiguredThing> repositories, Dictionary<string, ConfiguredThing> servers, Setting? repository, Setting? server)
    {
        Path = path;
        _repositories = repositories;
        _servers = servers;
        DefaultRepository = repository;
        DefaultServer = server;
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>The repository that is meant when none is named; one of the file's.</summary>
    public Setting? DefaultRepository { get; }

    /// <summary>The server that is meant when none is named; one of the file's.</summary>
    public Setting? DefaultServer { get; }

    /// <summary>The names of the repositories.</summary>
    public IReadOnlyCollection<string> RepositoryNames => _repositories.Keys;

    /// <summary>The names of the servers.</summary>
    public IReadOnlyCollection<string> ServerNames => _servers.Keys;

    /// <summary>The repository of a name; null when there is none.</summary>
    public ConfiguredThing? Repository(string name) => _repositories.GetValueOrDefault(name);

    /// <summary>The server of a name; null when there is none.</summary>
    public ConfiguredThing? Server(string name) => _servers.GetValueOrDefault(name);

    /// <summary>The repository at a location; null when there is none. Throws <c>RepositoryAmbiguous</c>.</summary>
    public ConfiguredThing? RepositoryAt(RepositoryLocation location)
    {
        ConfiguredThing? found = null;
        foreach (ConfiguredThing one in _repositories.Values)
        {
            if (RepositoryLocation.Parse(one.Settings["location"], "/") != location)
                continue;
            if (found is not null)
                throw PgErrors.LocationAmbiguous(location.ToString(), found.Name, one.Name, Path);
            found = one;
        }
        return found;
    }

    /// <summary>Reads a file. Throws <c>ConfigurationInvalid</c>, <c>ConfigurationUnreadable</c>, <c>SettingInvalid</c> and their like.</summary>
    /// <param name="path">The file, as a full path.</param>
    /// <param name="home">The folder that ~ stands for; null when it is not known.</param>
    public static ConfigurationFile Load(string path, string? home)
    {
        try
        {
            using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            byte[] bytes = new byte[ConfigurationParser.LargestFile + 1];
            int length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (length > ConfigurationParser.LargestFile)
                throw PgErrors.ConfigurationInvalid(path, 0, $"it is larger than {new ByteSize(ConfigurationParser.LargestFile)}.", "Is it the right file? See about_PgBackup_Configuration.");
            using var reader = new StreamReader(new MemoryStream(bytes, 0, length));
            return Parse(path, reader.ReadToEnd(), home);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.ConfigurationUnreadable(path, error);
        }
    }

    /// <summary>Reads a file's text; <see cref="Load"/> throws the same.</summary>
    public static ConfigurationFile Parse(string path, string text, string? home) => new ConfigurationReader(path, home).Read(ConfigurationParser.Parse(path, text));
}

/// <summary>A repository or a server of the file.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Line">Where it begins.</param>
/// <param name="Settings">What the file says of it; a dot stands for a map within.</param>
internal sealed record ConfiguredThing(string Name, int Line, IReadOnlyDictionary<string, Setting> Settings);
