using System.Formats.Tar;
using System.Text;
using System.Text.Json;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Restore.Fetching;

namespace PgBackup.Restore.Starting;

/// <summary>
/// Gives a data directory whose configuration lay elsewhere (Debian's <c>/etc/postgresql</c>), all of it or a part, a configuration of its own: the files that were kept
/// beside the backup, the three main ones in the data directory, included ones under <c>pgbackup_config/</c> by their old path, with the paths in them rewritten.
/// </summary>
internal static class KeptConfigurationFiles
{
    private const long LargestFile = 16 << 20;

    /// <summary>
    /// Makes sure that there is a postgresql.conf, pg_hba.conf and pg_ident.conf, and that none of them leads to the source's files. Returns warnings.
    /// </summary>
    public static async Task<IReadOnlyList<string>> EnsureAsync(
        BackupRepository repository, BackupName backup, string? sourceDirectory, RestoreDestination destination, CancellationToken cancellationToken)
    {
        var warnings = new List<string>();
        (KeptConfiguration Document, Dictionary<string, byte[]> Files)? kept = await ReadAsync(repository, backup, cancellationToken).ConfigureAwait(false);
        var rewriter = new ConfigurationRewriter(destination, kept?.Document.DataDirectory ?? sourceDirectory, kept?.Files, warnings);
        if (File.Exists(destination.PathOf("postgresql.conf")) && (kept is null || !kept.Value.Files.ContainsKey(kept.Value.Document.ConfigFile)))
            rewriter.RewriteOwn("postgresql.conf", await File.ReadAllTextAsync(destination.PathOf("postgresql.conf"), cancellationToken).ConfigureAwait(false));
        else if (kept is null)
            warnings.Add("The backup holds no postgresql.conf, neither in the data directory nor beside it: the server runs with PostgreSQL's defaults.");
        if (kept is { } found)
            Place(destination, rewriter, found.Document, found.Files);
        EnsureFile(destination, "postgresql.conf", "# Written by PgBackup: the backup held no configuration.\n");
        if (EnsureFile(destination, "pg_hba.conf", "# Written by PgBackup: the backup held no pg_hba.conf.\nlocal all all peer\nhost all all 127.0.0.1/32 scram-sha-256\n"))
            warnings.Add("The backup holds no pg_hba.conf: only local logins as the server's account, and with a password from this machine, are let in.");
        EnsureFile(destination, "pg_ident.conf", "");
        return warnings;
    }

    // What was kept is what the server used: a file of the same name in the data directory was not.
    private static void Place(RestoreDestination destination, ConfigurationRewriter rewriter, KeptConfiguration document, Dictionary<string, byte[]> files)
    {
        foreach ((string path, byte[] content) in files)
        {
            if (path == document.ConfigFile)
                rewriter.Rewrite("postgresql.conf", Encoding.UTF8.GetString(content), path);
            else if (path == document.HbaFile)
                destination.WriteFile("pg_hba.conf", content);
            else if (path == document.IdentFile)
                destination.WriteFile("pg_ident.conf", content);
            else if (path.EndsWith(".conf", StringComparison.Ordinal))
                rewriter.Rewrite(ConfigurationRewriter.Folder + path, Encoding.UTF8.GetString(content), path);
            else
                destination.WriteFile(ConfigurationRewriter.Folder + path, content);
        }
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
                    if (MemberPath.Normalize(entry.Name) is not { Length: > 0 } name)
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
            // Only at its end does an encrypted stream prove that it came whole.
            await decoded.CopyToAsync(Stream.Null, cancellationToken).ConfigureAwait(false);
            return document is null
                ? throw PgErrors.BackupDamaged(repository.Location, backup.Text, $"its configuration does not hold {KeptConfiguration.MemberName}.")
                : (document, files);
        }
    }

    private static bool EnsureFile(RestoreDestination destination, string relative, string text)
    {
        if (File.Exists(destination.PathOf(relative)))
            return false;
        destination.WriteFile(relative, Encoding.UTF8.GetBytes(text));
        return true;
    }
}
