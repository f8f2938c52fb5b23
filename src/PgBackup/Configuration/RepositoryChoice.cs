using System.Text.RegularExpressions;
using PgBackup.Configuration.Files;
using PgBackup.Errors;

namespace PgBackup.Configuration;

/// <summary>Which repository is meant.</summary>
/// <param name="Location">Where it is.</param>
/// <param name="Source">Who said so.</param>
/// <param name="Configured">What the configuration file says of it; null when it does not stand there.</param>
internal sealed partial record RepositoryChoice(RepositoryLocation Location, string Source, ConfiguredThing? Configured)
{
    /// <summary>
    /// The repository that is named by parameter, PGBACKUP_REPOSITORY, the file's default or WAL-G's environment. A location that stands in the file is the file's repository, with all
    /// that is said of it there. Throws <c>RepositoryNotGiven</c>, <c>RepositoryAmbiguous</c>, <c>RepositoryNameUnknown</c> and what <see cref="RepositoryLocation.Parse"/> throws.
    /// </summary>
    public static RepositoryChoice Make(string? given, ConfigurationFile? file, Func<string, string?> environment, string workingFolder)
    {
        Setting? named = given is null ? Setting.Variable(environment, RepositorySettings.Variable) : Setting.Parameter("Repository", given);
        if (named is null && file?.DefaultRepository is { } usual)
            return Of(file.Repository(usual.Text)!, usual.Source);
        if (named is not null && NamePattern().IsMatch(named.Text))
        {
            if (file?.Repository(named.Text) is { } configured)
                return Of(configured, named.Source);
            // A slip in a name must not make a new repository in a folder of that name.
            if (file is { RepositoryNames.Count: > 0 } && !Directory.Exists(Path.GetFullPath(named.Text, workingFolder)))
                throw PgErrors.RepositoryNameUnknown(named.Text, file.Path, Suggestion.For(named.Text, file.RepositoryNames));
        }
        named ??= OfWalG(environment) ?? throw PgErrors.RepositoryNotGiven(file is null ? [] : file.RepositoryNames);
        RepositoryLocation location = RepositoryLocation.Parse(named, workingFolder);
        return new RepositoryChoice(location, named.Source, file?.RepositoryAt(location));
    }

    private static RepositoryChoice Of(ConfiguredThing configured, string source) =>
        new(RepositoryLocation.Parse(configured.Settings["location"], "/"), source, configured);

    private static Setting? OfWalG(Func<string, string?> environment)
    {
        Setting? folder = Setting.Variable(environment, "WALG_FILE_PREFIX");
        Setting? bucket = Setting.Variable(environment, "WALG_S3_PREFIX") ?? Setting.Variable(environment, "WALE_S3_PREFIX");
        return folder is not null && bucket is not null ? throw PgErrors.RepositoryAmbiguous(folder, bucket) : folder ?? bucket;
    }

    [GeneratedRegex(@"\A[A-Za-z][A-Za-z0-9._-]{0,127}\z")]
    private static partial Regex NamePattern();
}
