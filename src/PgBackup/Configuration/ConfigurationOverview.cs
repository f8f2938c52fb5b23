using PgBackup.Configuration.Files;
using PgBackup.Errors;

namespace PgBackup.Configuration;

/// <summary>All that is in effect, and where it came from.</summary>
public static class ConfigurationOverview
{
    /// <summary>
    /// The configuration file, the repository and the server that commands with these arguments would work with. Without a repository there is none to tell of. Throws what
    /// <see cref="RepositorySettings.Resolve(RepositoryArguments)"/> and <see cref="ServerChoice.Resolve(ServerArguments)"/> throw.
    /// </summary>
    public static IReadOnlyList<ConfigurationValue> Read(RepositoryArguments repository, ServerArguments server) =>
        Read(repository, server, Environment.GetEnvironmentVariable);

    internal static IReadOnlyList<ConfigurationValue> Read(
        RepositoryArguments repository, ServerArguments server, Func<string, string?> environment, string? machineFolder = null)
    {
        var places = new ConfigurationPlaces(
            repository.ConfigPath, repository.WorkingFolder ?? Environment.CurrentDirectory, machineFolder ?? ConfigurationPlaces.DefaultMachineFolder, environment);
        (string Path, ConfigurationOrigin Origin)? file = places.Find();
        var values = new List<ConfigurationValue> { new("configuration", file?.Path, SourceOf(file?.Origin, repository.ConfigPath is not null)) };
        if (RepositoryOrNone(repository, environment, machineFolder) is { } settings)
        {
            values.Add(new ConfigurationValue("repository", settings.Name, settings.Source));
            values.AddRange(settings.Values.Select(value => value with { Name = $"repository.{value.Name}" }));
        }
        else
        {
            values.Add(new ConfigurationValue("repository", null, ConfigurationValue.DefaultSource));
        }
        values.AddRange(ServerChoice.Resolve(server, environment, machineFolder).Values.Select(value => value with { Name = $"server.{value.Name}" }));
        return values;
    }

    private static RepositorySettings? RepositoryOrNone(RepositoryArguments arguments, Func<string, string?> environment, string? machineFolder)
    {
        try
        {
            return RepositorySettings.Resolve(arguments, environment, machineFolder);
        }
        catch (PgBackupException error) when (error.Id == "RepositoryNotGiven")
        {
            return null;
        }
    }

    private static string SourceOf(ConfigurationOrigin? origin, bool isParameter) => origin switch
    {
        null => ConfigurationValue.DefaultSource,
        ConfigurationOrigin.Named => isParameter ? "parameter" : $"environment {ConfigurationPlaces.Variable}",
        ConfigurationOrigin.WorkingFolder => "working folder",
        ConfigurationOrigin.User => "user",
        _ => "machine",
    };
}
