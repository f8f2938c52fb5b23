using System.IO.Hashing;
using System.Text;
using PgBackup.Codecs;
using PgBackup.Configuration.Files;
using PgBackup.Errors;
using PgBackup.Storage.S3;

namespace PgBackup.Configuration.Handover;

/// <summary>
/// What archive_command and restore_command are told of a repository. They run in the server's environment, as its account: what the user's parameters, files and variables say must be in a
/// file that this account can read. That is the user's own file where it says all there is to say, else one that is written.
/// </summary>
public sealed class CommandConfiguration
{
    private readonly CommandAccount _account;
    private readonly List<PlannedFile> _files = [];
    private readonly List<(string What, string Path)> _references = [];
    private PgBackupException? _obstacle;

    private CommandConfiguration(RepositorySettings settings, CommandAccount account)
    {
        _account = account;
        Repository = settings.Location;
        RequireKey = settings.Key is { FilePath: null } && !IsGivenKey(settings);
        if (RequireKey)
            KeyTransform = TransformName(settings.Key!); // The same text under another transform is another key.
    }

    /// <summary>The configuration file that the commands name; null when they need none.</summary>
    public string? ConfigPath { get; private set; }

    /// <summary>The repository as the commands name it.</summary>
    public string Repository { get; private set; }

    /// <summary>The file of the key that the commands name; null when there is none, or the configuration file names it.</summary>
    public string? KeyPath { get; private set; }

    /// <summary>How that key is written.</summary>
    public string? KeyTransform { get; private set; }

    /// <summary>Whether the key is in the environment alone, where the commands must find it too.</summary>
    public bool RequireKey { get; }

    /// <summary>The files that must be written before the commands can run; those that are there already are left out.</summary>
    public IReadOnlyList<PlannedFile> Files => _files;

    /// <summary>The files that the account must be able to read.</summary>
    public IEnumerable<string> NeededFiles => _references.Select(reference => reference.Path);

    /// <summary>
    /// The name of the file for a restored cluster: not the one that other commands look for, because a restore must not decide what they do afterwards, and another for each data
    /// directory, because the recovery of one must not lose its repository to another's.
    /// </summary>
    /// <param name="dataDirectory">Where the cluster is restored to, as a full path; null when that is not known yet.</param>
    public static string RestoreFileName(string? dataDirectory) => dataDirectory is null
        ? "restore.yaml"
        : $"restore-{Hash(dataDirectory)}.yaml";

    /// <summary>Plans; writes nothing. Throws <c>ConfigurationInvalid</c> and its like for a file that is in the place of the new one.</summary>
    /// <param name="settings">The repository.</param>
    /// <param name="account">Who runs the commands.</param>
    /// <param name="configPath">Where a file is to be written; null: into the machine's folder when this runs as root, else into the account's own.</param>
    /// <param name="fileName">
    /// Its name there. Only <see cref="ConfigurationPlaces.FileName"/> is found by other commands; any other belongs to one restored cluster, and is replaced when that is restored again.
    /// </param>
    public static CommandConfiguration Plan(RepositorySettings settings, CommandAccount account, string? configPath, string fileName = ConfigurationPlaces.FileName)
    {
        var plan = new CommandConfiguration(settings, account);
        if (!NeedsFile(settings))
            plan.NameDirectly(settings);
        else if (IsOfFileAlone(settings) && plan.CanUse(settings))
            (plan.ConfigPath, plan.Repository) = (settings.ConfigPath, settings.Name!);
        else
            plan.PlanFile(settings, configPath ?? Path.Combine(FolderFor(account), fileName), isShared: configPath is not null || fileName == ConfigurationPlaces.FileName);
        foreach ((string what, string path) in plan._references)
        {
            if (plan._obstacle is null && !plan._files.Exists(file => file.Path == path) && !account.CanRead(path))
                plan._obstacle = PgErrors.CommandFileUnreadable(what, path, account.Name);
        }
        return plan;
    }

    /// <summary>
    /// Refuses a plan that cannot work. Throws <c>CommandFileUnreadable</c>, <c>CommandFileInTheWay</c>, <c>CommandFileNotWritten</c>, <c>TemporaryCredential</c>, <c>CommandProfileUnusable</c>.
    /// </summary>
    public void RequireUsable()
    {
        if (_obstacle is not null)
            throw _obstacle;
    }

    /// <summary>Writes the files. Throws <c>CommandFileNotWritten</c>.</summary>
    public void Write()
    {
        foreach (PlannedFile file in _files)
            file.Write(_account);
    }

    // A folder with nothing but defaults and perhaps a key file is told in the command itself.
    internal static bool NeedsFile(RepositorySettings settings) => settings.Name is not null || settings.Storage is S3Settings || IsGivenKey(settings)
        || settings.Wal != new WalSettings()
        || settings.Values.Any(value => value.Name.StartsWith("compression", StringComparison.Ordinal) && value.Source != ConfigurationValue.DefaultSource);

    private static bool IsOfFileAlone(RepositorySettings settings) => settings.Name is not null && settings.Values.All(
        value => value.Source == ConfigurationValue.DefaultSource || value.Name == "location" || value.Source.StartsWith(settings.ConfigPath + ":", StringComparison.Ordinal));

    // A key that was handed over as such, in no file and no variable.
    private static bool IsGivenKey(RepositorySettings settings) =>
        settings.Key is { FilePath: null } && settings.Values.Any(value => value is { Name: "encryption", Source: "parameter" });

    private void NameDirectly(RepositorySettings settings)
    {
        if (settings.Key is not { FilePath: { } path } key)
            return;
        (KeyPath, KeyTransform) = (path, TransformName(key));
        _references.Add(("the key file", path));
    }

    private bool CanUse(RepositorySettings settings)
    {
        string[] keys = ["credentialsFile", "caCertificateFile", "customerKeyFile", "encryption.keyFile"];
        (string, string)[] needed = [("the configuration file", settings.ConfigPath!), .. keys.Where(settings.FileSettings.ContainsKey).Select(key => ($"the {key}", settings.FileSettings[key].Text))];
        bool usable = needed.All(reference => _account.CanRead(reference.Item2));
        if (usable)
            _references.AddRange(needed);
        return usable && !settings.FileSettings.Values.Any(setting => setting.Name == "profile" && !settings.FileSettings.ContainsKey("credentialsFile"));
    }

    private static string Hash(string text) => $"{XxHash32.HashToUInt32(Encoding.UTF8.GetBytes(text)):x8}";

    private static string FolderFor(CommandAccount account) => OperatingSystem.IsWindows() || Platform.Posix.IsRoot
        ? ConfigurationPlaces.DefaultMachineFolder
        : ConfigurationPlaces.UserFolderOf(account.Home);

    private void PlanFile(RepositorySettings settings, string path, bool isShared)
    {
        if (!_account.IsCurrent && !Platform.Posix.IsRoot)
            _obstacle = PgErrors.CommandAccountOther(_account.Name);
        string name = settings.Name ?? "main";
        string folder = Path.GetDirectoryName(path)!;
        string stem = Path.GetFileNameWithoutExtension(path);
        // The last is this repository's alone, for hosts whose servers archive into several.
        string[] candidates = [path, Path.Combine(folder, $"{stem}-commands.yaml"), Path.Combine(folder, $"{stem}-{Hash($"{settings.Location} {(settings.Storage as S3Settings)?.EndpointUrl}")}.yaml")];
        if (isShared && candidates.Any(candidate => LeadsElsewhere(candidate, settings)))
            candidates = [candidates[^1]];
        RepositoryReferences references = References(settings, folder, Path.GetFileNameWithoutExtension(candidates[0]));
        string text = RepositoryText.Of(name, settings, references);
        (ConfigPath, Repository) = (path, name);
        foreach (string candidate in candidates)
        {
            var file = new PlannedFile(candidate, text, (settings.Storage as S3Settings)?.ProxyUrl is { UserInfo.Length: > 0 });
            if (NameIn(file) is { } known)
            {
                (ConfigPath, Repository) = (candidate, known);
                _references.Add(("the configuration file", candidate));
                return;
            }
            if (TryAdd(file, "the configuration file"))
            {
                ConfigPath = candidate;
                return;
            }
        }
        _obstacle ??= PgErrors.CommandFileInTheWay(path);
    }

    // Written here, but of another repository: another server's commands may live on it.
    private static bool LeadsElsewhere(string path, RepositorySettings settings)
    {
        if (!File.Exists(path) || File.ReadLines(path).FirstOrDefault() != RepositoryText.Mark)
            return false;
        ConfigurationFile there = ConfigurationFile.Load(path, null);
        string? endpoint = (settings.Storage as S3Settings)?.EndpointUrl?.AbsoluteUri;
        return !there.RepositoryNames.Any(known => there.Repository(known) is { } one
            && one.Settings.TryGetValue("location", out Setting? location) && location.Text == settings.Location
            && (one.Settings.TryGetValue("endpointUrl", out Setting? address) ? new Uri(address.Text).AbsoluteUri : null) == endpoint);
    }

    // A file of somebody's that says of this repository what ours would say needs no other beside it.
    private static string? NameIn(PlannedFile file)
    {
        if (!File.Exists(file.Path))
            return null;
        ConfigurationFile ours = ConfigurationFile.Parse(file.Path, file.Text, null);
        ConfiguredThing wanted = ours.Repository(ours.RepositoryNames.First())!;
        ConfigurationFile there = ConfigurationFile.Load(file.Path, null);
        return there.RepositoryNames.FirstOrDefault(name => there.Repository(name) is { } one && one.Settings.Count == wanted.Settings.Count
            && one.Settings.All(setting => wanted.Settings.TryGetValue(setting.Key, out Setting? other) && other.Text == setting.Value.Text));
    }

    private RepositoryReferences References(RepositorySettings settings, string folder, string baseName)
    {
        (string? profile, string? credentials, string? customerKey) = settings.Storage is S3Settings s3 ? OfBucket(s3, settings, folder, baseName) : default;
        if (settings.Key is null || RequireKey)
            return new RepositoryReferences(profile, credentials, customerKey, null, null);
        if (settings.Key.FilePath is { } keyFile)
        {
            _references.Add(("the key file", keyFile));
            return new RepositoryReferences(profile, credentials, customerKey, keyFile, TransformName(settings.Key));
        }
        string made = AddSecret(folder, baseName, ["encryption.key"], Convert.ToBase64String(settings.Key.Bytes) + "\n", "the key file");
        return new RepositoryReferences(profile, credentials, customerKey, made, "base64");
    }

    private (string? Profile, string? Credentials, string? CustomerKey) OfBucket(S3Settings s3, RepositorySettings settings, string folder, string baseName)
    {
        if (s3.CaCertificateFile is { } authorities)
            _references.Add(("the file of certificate authorities", authorities));
        string? customerKey = settings.FileSettings.GetValueOrDefault("customerKeyFile")?.Text;
        if (customerKey is not null)
            _references.Add(("the customer key file", customerKey));
        else if (s3.CustomerKey is { } key)
            customerKey = AddSecret(folder, baseName, ["customer.key"], key.Reveal() + "\n", "the customer key file");

        if (s3.Credential is { } given)
        {
            if (given.SessionToken is not null)
                _obstacle ??= PgErrors.TemporaryCredential();
            string text = $"{RepositoryText.Mark}\n[default]\naws_access_key_id = {given.AccessKey}\naws_secret_access_key = {given.SecretKey.Reveal()}\n";
            return (null, AddSecret(folder, baseName, ["credentials"], text, "the credentials file"), customerKey);
        }
        string own = s3.CredentialsFile ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".aws", "credentials");
        string? profile = s3.ProfileName ?? (!_account.IsCurrent && CredentialsText.Has(own, "default") ? "default" : null);
        if (profile is null)
            return (null, null, customerKey); // The host's role, or what the account itself has.
        if (!CredentialsText.Has(own, profile))
            _obstacle ??= PgErrors.ProfileNotInFile(profile, own);
        _references.Add(("the credentials file", own));
        return (profile, own, customerKey);
    }

    private string AddSecret(string folder, string baseName, string[] names, string text, string what)
    {
        string path = "";
        // The plain names are those of archiving; what belongs to another file bears that file's name, so that a restore never takes a credential away from a server that archives.
        bool isDefault = baseName == Path.GetFileNameWithoutExtension(ConfigurationPlaces.FileName);
        string own = $"{baseName}.{names[0]}";
        foreach (string name in isDefault ? names.Append(own) : [own])
        {
            path = Path.Combine(folder, name);
            if (TryAdd(new PlannedFile(path, text, IsSecret: true), what))
                return path;
        }
        _obstacle ??= PgErrors.CommandFileInTheWay(path);
        return path;
    }

    // Only what was written here may be replaced; a key alone in its file bears no mark, and another key is never thrown away.
    private bool TryAdd(PlannedFile file, string what)
    {
        if (File.Exists(file.Path) && !_account.IsCurrent && !Platform.Posix.IsRoot)
            return false;
        bool isThere = file.IsThere;
        if (!isThere && File.Exists(file.Path) && File.ReadLines(file.Path).FirstOrDefault() != RepositoryText.Mark)
            return false;
        if (!isThere || !_account.CanRead(file.Path))
            _files.Add(file);
        _references.Add((what, file.Path));
        return true;
    }

    private static string TransformName(EncryptionKey key) => key.Transform.ToString().ToLowerInvariant();
}
