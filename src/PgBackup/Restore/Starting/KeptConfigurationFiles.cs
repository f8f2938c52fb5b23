using System.Formats.Tar;
using System.Text;
using System.Text.Json;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Restore.Fetching;

namespace PgBackup.Restore.Starting;

/// <summary>
/// Gives a data directory whose configuration lay elsewhere (Debian's <c>/etc/postgresql</c>) a configuration of its own: the files that were kept beside the backup,
/// the three main ones in the data directory, included ones under <c>pgbackup_config/</c> by their old path, with the paths in them rewritten.
/// </summary>
internal static class KeptConfigurationFiles
{
    private const string Folder = "pgbackup_config";
    private const long LargestFile = 16 << 20;

    // Paths of the source, which would lead the restored server into its files. Their defaults are right.
    private static readonly HashSet<string> s_paths = new(StringComparer.Ordinal) { "data_directory", "hba_file", "ident_file", "config_file", "external_pid_file" };

    /// <summary>
    /// Makes sure that there is a postgresql.conf, pg_hba.conf and pg_ident.conf, and that none of them leads to the source's files. Returns warnings.
    /// </summary>
    public static async Task<IReadOnlyList<string>> EnsureAsync(
        BackupRepository repository, BackupName backup, RestoreDestination destination, CancellationToken cancellationToken)
    {
        var warnings = new List<string>();
        if (File.Exists(destination.PathOf("postgresql.conf")))
            Rewrite(destination, "postgresql.conf", await File.ReadAllTextAsync(destination.PathOf("postgresql.conf"), cancellationToken).ConfigureAwait(false), null, []);
        else if (await ReadAsync(repository, backup, cancellationToken).ConfigureAwait(false) is { } kept)
            Place(destination, kept.Document, kept.Files);
        else
            warnings.Add("The backup holds no postgresql.conf, neither in the data directory nor beside it: the server runs with PostgreSQL's defaults.");
        EnsureFile(destination, "postgresql.conf", "# Written by PgBackup: the backup held no configuration.\n");
        if (EnsureFile(destination, "pg_hba.conf", "# Written by PgBackup: the backup held no pg_hba.conf.\nlocal all all peer\nhost all all 127.0.0.1/32 scram-sha-256\n"))
            warnings.Add("The backup holds no pg_hba.conf: only local logins as the server's account, and with a password from this machine, are let in.");
        EnsureFile(destination, "pg_ident.conf", "");
        return warnings;
    }

    private static void Place(RestoreDestination destination, KeptConfiguration document, Dictionary<string, byte[]> files)
    {
        foreach ((string path, byte[] content) in files)
        {
            string text = Encoding.UTF8.GetString(content);
            if (path == document.ConfigFile)
                Rewrite(destination, "postgresql.conf", text, path, files);
            else if (path == document.HbaFile)
                WriteIfAbsent(destination, "pg_hba.conf", content);
            else if (path == document.IdentFile)
                WriteIfAbsent(destination, "pg_ident.conf", content);
            else if (path.EndsWith(".conf", StringComparison.Ordinal))
                Rewrite(destination, Folder + path, text, path, files);
            else
                destination.WriteFile(Folder + path, content);
        }
    }

    /// <summary>Writes a configuration file with includes led to where the included files lie now, and without the source's paths.</summary>
    private static void Rewrite(RestoreDestination destination, string relative, string text, string? origin, Dictionary<string, byte[]> files)
    {
        var result = new StringBuilder(text.Length);
        foreach (string line in text.Split('\n'))
        {
            string? name = ConfigurationText.NameOf(line);
            if (name is not null && s_paths.Contains(name))
                result.Append("# Left out by PgBackup: ").Append(line);
            else if (origin is not null && name is "include" or "include_dir" or "include_if_exists")
                result.Append(Include(destination, name, line, origin!, files));
            else
                result.Append(line);
            result.Append('\n');
        }
        destination.WriteFile(relative, Encoding.UTF8.GetBytes(result.ToString(0, Math.Max(0, result.Length - 1))));
    }

    private static string Include(RestoreDestination destination, string name, string line, string origin, Dictionary<string, byte[]> files)
    {
        string old = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(origin) ?? "/", ConfigurationText.ValueOf(line)));
        bool kept = files.Keys.Any(f => f == old || f.StartsWith(old + "/", StringComparison.Ordinal));
        return kept
            ? $"{name} {ConfigurationText.Quote(Path.Combine(destination.Root, Folder) + old)}"
            : "# Left out by PgBackup, nothing of it is in the backup: " + line;
    }

    private static async Task<(KeptConfiguration Document, Dictionary<string, byte[]> Files)?> ReadAsync(
        BackupRepository repository, BackupName backup, CancellationToken cancellationToken)
    {
        string key = RepositoryLayout.ConfigurationKey(backup);
        Stream decoded;
        try
        {
            decoded = await repository.OpenDecodedAsync(key, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id == "ObjectNotFound")
        {
            return null;
        }
        await using (decoded.ConfigureAwait(false))
        {
            KeptConfiguration? document = null;
            var files = new Dictionary<string, byte[]>(StringComparer.Ordinal);
            var reader = new TarReader(decoded, leaveOpen: true);
            await using (reader.ConfigureAwait(false))
            {
                while (await reader.GetNextEntryAsync(copyData: false, cancellationToken).ConfigureAwait(false) is { } entry)
                {
                    if (RestoreDestination.Normalize(entry.Name) is not { Length: > 0 } name)
                        throw PgErrors.MemberNameInvalid(repository.Location, backup.Text, entry.Name);
                    if (entry.Length > LargestFile)
                        throw PgErrors.BackupDamaged(repository.Location, backup.Text, $"'{entry.Name}' in its configuration is larger than any configuration file.");
                    byte[] content = new byte[entry.Length];
                    if (entry.DataStream is { } data)
                        await data.ReadExactlyAsync(content, cancellationToken).ConfigureAwait(false);
                    if (name == KeptConfiguration.MemberName)
                        document = JsonSerializer.Deserialize(content, RepositoryJson.Default.KeptConfiguration);
                    else
                        files["/" + name] = content;
                }
            }
            return document is null
                ? throw PgErrors.BackupDamaged(repository.Location, backup.Text, $"its configuration does not hold {KeptConfiguration.MemberName}.")
                : (document, files);
        }
    }

    private static void WriteIfAbsent(RestoreDestination destination, string relative, byte[] content)
    {
        if (!File.Exists(destination.PathOf(relative)))
            destination.WriteFile(relative, content);
    }

    private static bool EnsureFile(RestoreDestination destination, string relative, string text)
    {
        if (File.Exists(destination.PathOf(relative)))
            return false;
        destination.WriteFile(relative, Encoding.UTF8.GetBytes(text));
        return true;
    }
}
