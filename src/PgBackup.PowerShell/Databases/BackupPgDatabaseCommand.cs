using System.Globalization;
using System.Management.Automation;
using System.Security.Cryptography;
using PgBackup.Codecs;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Logical.Comparison;
using PgBackup.Logical.Dump;
using PgBackup.Postgres.Server;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;

namespace PgBackup.PowerShell.Databases;

/// <summary>Dumps databases into a repository or to files, by pg_dump.</summary>
[Cmdlet(VerbsData.Backup, "PgDatabase", DefaultParameterSetName = NamedSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(DatabaseBackup), typeof(DumpFileResult))]
public sealed class BackupPgDatabaseCommand : PgConnectionCmdlet
{
    private const string NamedSet = "Named";
    private const string AllSet = "All";

    private readonly List<PgBackupException> _failures = [];
    private int _done;
    private ServerConnectionSettings _server = null!;
    private RepositorySettings? _settings;
    private DumpSelection _selection = null!;
    private DumpOptions _options = null!;
    private ServerConnectionSettings? _verifyServer;
    private string? _destination;

    /// <summary>The databases; wildcards are allowed. That of the connection when none is given.</summary>
    [Parameter(Position = 0, ParameterSetName = NamedSet, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[]? Database { get; set; }

    /// <summary>Every database that takes connections and is no template, and what they share.</summary>
    [Parameter(Mandatory = true, ParameterSetName = AllSet)]
    public SwitchParameter AllDatabases { get; set; }

    /// <summary>Databases to leave out; wildcards are allowed.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[]? ExcludeDatabase { get; set; }

    /// <summary>Also what the databases share, as an item of its own: roles and tablespaces.</summary>
    [Parameter(ParameterSetName = NamedSet)]
    [Alias("IncludeGlobals")]
    public SwitchParameter IncludeGlobal { get; set; }

    /// <summary>The dump's form; Custom, or what the name of the file says.</summary>
    [Parameter]
    public DumpFormat? Format { get; set; }

    /// <summary>Only the tables, views and sequences that match a pattern of pg_dump.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[] Table { get; set; } = [];

    /// <summary>No tables that match a pattern of pg_dump.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[] ExcludeTable { get; set; } = [];

    /// <summary>Only the schemas that match a pattern of pg_dump.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[] Schema { get; set; } = [];

    /// <summary>No schemas that match a pattern of pg_dump.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[] ExcludeSchema { get; set; } = [];

    /// <summary>The definitions without the rows.</summary>
    [Parameter]
    public SwitchParameter SchemaOnly { get; set; }

    /// <summary>The rows without the definitions.</summary>
    [Parameter]
    public SwitchParameter DataOnly { get; set; }

    /// <summary>The codec; the repository's when it is not given.</summary>
    [Parameter]
    public CompressionMethod? Compression { get; set; }

    /// <summary>The codec's level.</summary>
    [Parameter]
    public int? CompressionLevel { get; set; }

    /// <summary>How much is done at once: databases side by side, tables of a directory, blocks that are compressed.</summary>
    [Parameter]
    [ValidateRange(1, 256)]
    public int? ThrottleLimit { get; set; }

    /// <summary>What is kept along to find the backup again.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [ValidateLength(1, 512)]
    public string? Label { get; set; }

    /// <summary>Keeps the backup out of retention.</summary>
    [Parameter]
    public SwitchParameter Permanent { get; set; }

    /// <summary>Restores the dump into a scratch database, and compares objects and rows with what was dumped.</summary>
    [Parameter]
    public SwitchParameter Verify { get; set; }

    /// <summary>The server for the scratch database: a host, host:port, a name of the configuration file, or a connection string; that of the dump when it is not given.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? VerifyServer { get; set; }

    /// <summary>A file or a folder instead of the repository.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Destination { get; set; }

    /// <summary>Replaces a file that is there already.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    private string ExitSubject => string.Join('\n', [HostName ?? "", $"{Port}", .. Database ?? [], Destination ?? Repository ?? ""]);

    /// <inheritdoc/>
    protected override void Prepare()
    {
        _failures.Clear();
        _done = 0;
        _server = ResolveServer();
        _verifyServer = VerifyServer is null ? null : ResolveOtherServer(VerifyServer);
        if (Destination is null)
            _settings = ResolveRepository();
        else if (MyInvocation.BoundParameters.ContainsKey(nameof(Repository)) || Label is not null || Permanent)
            throw PgErrors.DumpOptionsInvalid("-Destination writes a plain file, which goes into no repository and keeps no label.", "Leave out -Destination, or -Repository, -Label and -Permanent.");
        else
            _destination = ResolveFolder(Destination);
        _selection = new DumpSelection { All = AllDatabases, Databases = Patterns(Database), Excluded = Patterns(ExcludeDatabase) };
        _options = new DumpOptions
        {
            Server = _server,
            Tables = Table,
            ExcludedTables = ExcludeTable,
            Schemas = Schema,
            ExcludedSchemas = ExcludeSchema,
            SchemaOnly = SchemaOnly,
            DataOnly = DataOnly,
            Compression = Compression,
            CompressionLevel = CompressionLevel,
            Label = Label,
            IsPermanent = Permanent,
        };
    }

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        IReadOnlyList<string> databases = await DatabaseDumpJob.ChooseDatabasesAsync(_server, _selection, cancellationToken);
        bool withGlobals = AllDatabases || IncludeGlobal;
        bool isFolder = withGlobals || databases.Count > 1 || Database?.Any(WildcardPattern.ContainsWildcardCharacters) == true || Directory.Exists(_destination) || Path.EndsInDirectorySeparator(Destination ?? "");
        DumpOptions shared = _options with
        {
            Format = Format ?? (_destination is null || isFolder ? null : DumpDestination.FormatOf(_destination)) ?? DumpFormat.Custom,
            RunId = withGlobals || databases.Count > 1 ? NewRunId() : null,
        };
        List<DumpOptions> wanted = [.. databases.Select(database => shared with { Database = database })];
        if (withGlobals)
            wanted.Insert(0, shared with { Content = DumpContent.Globals });
        List<DumpOptions> agreed = [];
        foreach (DumpOptions item in wanted)
        {
            if (await pipeline.ShouldProcessAsync($"{Name(item)} of {_server.Describe()}", $"Dump ({item.Format}) into '{_destination ?? _settings!.Location}'"))
                agreed.Add(item);
        }
        // Side by side, or each with all workers: a directory is dumped in parallel by itself.
        int beside = shared.Format == DumpFormat.Directory || agreed.Count < 2 ? 1 : Math.Min(ThrottleLimit ?? 1, agreed.Count);
        int workers = beside > 1 ? Math.Max(1, Environment.ProcessorCount / beside) : ThrottleLimit ?? Environment.ProcessorCount;
        BackupRepository? repository = _settings is null ? null : BackupRepository.Open(_settings);
        await Parallel.ForEachAsync(agreed, new ParallelOptions { MaxDegreeOfParallelism = beside, CancellationToken = cancellationToken }, async (item, token) =>
        {
            try
            {
                DumpOptions options = item with { ThrottleLimit = workers };
                if (repository is not null)
                {
                    DatabaseBackup backup = await DumpAsync(repository, options, pipeline, token);
                    await FinishAsync(pipeline, backup, backup.Name, backup.Database, backup.Verification);
                }
                else
                {
                    DumpFileResult file = await DumpAsync(PathOf(item, isFolder), options, pipeline, token);
                    await FinishAsync(pipeline, file, file.Path, file.Database, file.Verification);
                }
            }
            catch (PgBackupException error)
            {
                await FailAsync(pipeline, error);
            }
        });
    }

    // What all databases share has no database to be restored into.
    private bool Proves(DumpOptions options) => (Verify || _verifyServer is not null) && options.Content == DumpContent.Database;

    private Task<DatabaseBackup> DumpAsync(BackupRepository repository, DumpOptions options, IPipeline pipeline, CancellationToken token) => Proves(options)
        ? VerifiedDump.RunAsync(repository, options, _verifyServer, pipeline.Log, pipeline.Progress, token)
        : DatabaseDumpJob.RunAsync(repository, options, pipeline.Log, pipeline.Progress, token);

    private Task<DumpFileResult> DumpAsync(string path, DumpOptions options, IPipeline pipeline, CancellationToken token) => Proves(options)
        ? VerifiedDump.RunToFileAsync(options, path, Force, _verifyServer, pipeline.Log, pipeline.Progress, token)
        : DatabaseDumpJob.RunToFileAsync(options, path, Force, pipeline.Log, pipeline.Progress, token);

    private async Task FinishAsync(IPipeline pipeline, object result, string dump, string? database, DumpVerification? verification)
    {
        await pipeline.WriteObjectAsync(result);
        if (verification is null or { Status: DumpVerificationStatus.Verified })
            Interlocked.Increment(ref _done);
        else
            await FailAsync(pipeline, PgErrors.DumpUnproven(dump, database!, verification));
    }

    private Task FailAsync(IPipeline pipeline, PgBackupException error)
    {
        lock (_failures)
            _failures.Add(error);
        return pipeline.WriteErrorAsync(error);
    }

    private protected override void OnSuccess()
    {
        if (_failures.Count == 0)
            ExitCodePolicy.Succeeded(this, ExitSubject);
        else
            ExitCodePolicy.Failed(this, ExitSubject, FailureCode());
    }

    private protected override void OnFailure(Exception error) =>
        ExitCodePolicy.Failed(this, ExitSubject, error is PgBackupException known ? known.ExitCode : _failures.Count > 0 ? FailureCode() : ExitCodes.Failed);

    private static string Name(DumpOptions item) => item.Content == DumpContent.Globals ? "Roles and tablespaces" : $"Database '{item.Database}'";

    private static string NewRunId() =>
        string.Create(CultureInfo.InvariantCulture, $"run_{DateTime.UtcNow:yyyyMMdd'T'HHmmss'Z'}_{RandomNumberGenerator.GetHexString(8, lowercase: true)}");

    private static DatabasePattern[] Patterns(string[]? names) => [.. (names ?? []).Select(name =>
    {
        if (!WildcardPattern.ContainsWildcardCharacters(name))
            return new DatabasePattern(WildcardPattern.Unescape(name));
        WildcardPattern pattern = WildcardPattern.Get(name, WildcardOptions.IgnoreCase);
        return new DatabasePattern(name, pattern.IsMatch);
    })];

    // A dump that does not bring back what was dumped is worse than one that is missing.
    private int FailureCode() => _done == 0 || _failures.Exists(failure => failure.ExitCode == ExitCodes.VerificationFailed) ? _failures.Max(failure => failure.ExitCode) : ExitCodes.Partial;

    private string PathOf(DumpOptions item, bool isFolder)
    {
        if (!isFolder)
            return _destination!;
        try
        {
            Directory.CreateDirectory(_destination!);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.DumpFileFailed(_destination!, error);
        }
        return DumpDestination.PathIn(_destination!, item);
    }
}
