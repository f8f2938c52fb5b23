using PgBackup.Postgres.Server;
using PgBackup.Repository;
using PgBackup.Repository.Dumps;

namespace PgBackup.Logical.Dump;

/// <summary>Takes logical backups: of one database each, by pg_dump, or of what all databases of a server share, by pg_dumpall.</summary>
public static class DatabaseDumpJob
{
    /// <summary>What the names of scratch databases begin with: they are no one's data, and a wildcard does not take them.</summary>
    internal const string ScratchPrefix = "pgbackup_verify_";

    /// <summary>
    /// The databases that a selection names, in its order, each once; those of patterns by name. A literal name is not looked up. Throws <c>DatabaseNotFound</c> for a pattern that
    /// matches nothing, and what a connection throws.
    /// </summary>
    public static async Task<IReadOnlyList<string>> ChooseDatabasesAsync(ServerConnectionSettings server, DumpSelection selection, CancellationToken cancellationToken = default)
    {
        if (!selection.All && selection.Databases.Count == 0)
            return [server.DatabaseName];
        if (!selection.All && selection.Databases.All(pattern => pattern.Matches is null))
            return [.. selection.Databases.Select(pattern => pattern.Text).Distinct(StringComparer.Ordinal).Where(name => !selection.IsExcluded(name))];
        List<string> existing;
        ServerSession session = await ServerSession.OpenMaintenanceAsync(server, cancellationToken).ConfigureAwait(false);
        await using (session.ConfigureAwait(false))
        {
            existing = await session.QueryAsync(
                "SELECT datname::text FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname", static row => row.GetString(0), cancellationToken).ConfigureAwait(false);
        }
        existing.RemoveAll(name => name.StartsWith(ScratchPrefix, StringComparison.Ordinal));
        var chosen = new List<string>(selection.All ? existing : []);
        foreach (DatabasePattern pattern in selection.Databases)
        {
            List<string> found = pattern.Matches is null || existing.Contains(pattern.Text) ? [pattern.Text] : existing.FindAll(name => pattern.Matches(name));
            if (found.Count == 0)
                throw Errors.PgErrors.NoDatabaseMatches(server.Describe(), pattern.Text);
            chosen.AddRange(found);
        }
        return [.. chosen.Distinct(StringComparer.Ordinal).Where(name => !selection.IsExcluded(name))];
    }

    /// <summary>
    /// Dumps one database, or the globals, into a repository. Nothing of it is listed before it is whole, and nothing is left when it fails. Throws <c>DatabaseNotFound</c>,
    /// <c>AuthenticationFailed</c>, <c>InsufficientPrivilege</c>, <c>ServerConnectionFailed</c>, <c>ServerConnectionLost</c>, <c>ClientToolMissing</c>, <c>NothingToDump</c>,
    /// <c>DumpFailed</c>, <c>DumpOptionsInvalid</c>, <c>StorageWriteFailed</c> and its like.
    /// </summary>
    public static Task<DatabaseBackup> RunAsync(
        BackupRepository repository, DumpOptions options, IOperationLog log, IProgress<OperationProgress> progress, CancellationToken cancellationToken = default) =>
        RunHoldingAsync(repository, options, static _ => Task.CompletedTask, log, progress, cancellationToken);

    /// <summary>As <see cref="RunAsync"/>; <paramref name="whileSnapshot"/> is called when the backup is published and its snapshot is still held. What it throws undoes nothing.</summary>
    internal static async Task<DatabaseBackup> RunHoldingAsync(
        BackupRepository repository, DumpOptions options, Func<DumpSession, Task> whileSnapshot, IOperationLog log, IProgress<OperationProgress> progress, CancellationToken cancellationToken)
    {
        options.Check();
        DateTimeOffset start = DateTimeOffset.UtcNow;
        DumpSession session = await DumpSession.OpenAsync(options, cancellationToken).ConfigureAwait(false);
        await using (session.ConfigureAwait(false))
        {
            var watch = new DumpWatch(options, session.Tables.Tables.Count, log, progress);
            DumpProgram program = await DumpProgram.FindAsync(options, session, watch, log, cancellationToken).ConfigureAwait(false);
            // A repository may hold the databases of many servers: whose they are stands in each manifest.
            await RepositoryAdmission.RequireAsync(repository, cluster: null, newLineage: false, cancellationToken).ConfigureAwait(false);
            var folder = new DumpFolder(repository, DumpLayout.NewName(start), log);
            DumpManifest manifest;
            try
            {
                DumpObjects objects = await StoreAsync(folder, options, program, watch, cancellationToken).ConfigureAwait(false);
                if (options.Content == DumpContent.Database)
                    await folder.PutTablesAsync(new DumpTables { Tables = session.Tables.Tables, Arguments = objects.Arguments }, cancellationToken).ConfigureAwait(false);
                manifest = Describe(folder, options, session, program, objects, start);
                await folder.PublishAsync(manifest, cancellationToken).ConfigureAwait(false);
            }
            catch
            {
                await folder.RemoveAsync().ConfigureAwait(false);
                throw;
            }
            log.Information($"Dumped {options.Subject} of {session.Server} as {manifest.Name} into '{repository.Location}'");
            await whileSnapshot(session).ConfigureAwait(false);
            return manifest.ToBackup(repository.Location);
        }
    }

    /// <summary>
    /// Dumps one database, or the globals, into a plain file or, in directory format, a folder; it appears whole under its name. Throws what <see cref="RunAsync"/> throws of the server,
    /// <c>DumpFileExists</c>, <c>DumpFileFailed</c>.
    /// </summary>
    public static Task<DumpFileResult> RunToFileAsync(
        DumpOptions options, string path, bool overwrite, IOperationLog log, IProgress<OperationProgress> progress, CancellationToken cancellationToken = default) =>
        RunToFileHoldingAsync(options, path, overwrite, static _ => Task.CompletedTask, log, progress, cancellationToken);

    /// <summary>As <see cref="RunToFileAsync"/>; <paramref name="whileSnapshot"/> is called when the file has its name and the snapshot is still held.</summary>
    internal static Task<DumpFileResult> RunToFileHoldingAsync(
        DumpOptions options, string path, bool overwrite, Func<DumpSession, Task> whileSnapshot, IOperationLog log, IProgress<OperationProgress> progress, CancellationToken cancellationToken) =>
        DumpFile.RunAsync(options, path, overwrite, whileSnapshot, log, progress, cancellationToken);

    private static Task<DumpObjects> StoreAsync(DumpFolder folder, DumpOptions options, DumpProgram program, DumpWatch watch, CancellationToken cancellationToken) =>
        options.EffectiveFormat == DumpFormat.Directory
            ? FolderStorage.StoreAsync(folder, options, program, watch, cancellationToken)
            : folder.StreamAsync(options, program, cancellationToken);

    private static DumpManifest Describe(DumpFolder folder, DumpOptions options, DumpSession session, DumpProgram program, DumpObjects objects, DateTimeOffset start) => new()
    {
        Version = DumpManifest.CurrentVersion,
        Name = folder.Name,
        Content = options.Content,
        Database = options.Content == DumpContent.Database ? options.Subject : null,
        Format = options.EffectiveFormat,
        Label = options.Label,
        RunId = options.RunId,
        StartTime = start,
        FinishTime = DateTimeOffset.UtcNow,
        SnapshotLsn = session.SnapshotLsn,
        SnapshotTime = session.SnapshotTime,
        Server = session.Server,
        ServerVersion = session.VersionNumber,
        SystemIdentifier = session.SystemIdentifier,
        ToolVersion = program.Tool.Version.ToString(),
        WrittenBy = ProgramIdentity.Text,
        Encoding = session.Facts?.Encoding,
        Collate = session.Facts?.Collate,
        CharacterType = session.Facts?.CharacterType,
        LocaleProvider = session.Facts?.LocaleProvider,
        Locale = session.Facts?.Locale,
        SchemaOnly = options.SchemaOnly,
        DataOnly = options.DataOnly,
        IsFiltered = options.IsFiltered,
        Encrypted = folder.Repository.IsEncrypted,
        IsPermanent = options.IsPermanent,
        DataSize = session.Facts?.Size,
        TableCount = options.Content == DumpContent.Database ? session.Tables.Tables.Count : null,
        Objects = objects.Objects,
    };
}
