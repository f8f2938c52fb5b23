using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Logical.Load;
using PgBackup.Postgres.Server;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;

namespace PgBackup.PowerShell.Databases;

/// <summary>Restores a logical backup, a dump that anybody wrote, or tables out of a backup of the whole cluster, into a database.</summary>
[Cmdlet(VerbsData.Restore, "PgDatabase", DefaultParameterSetName = NameSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(DatabaseRestoreResult), ParameterSetName = [NameSet, ObjectSet, PathSet])]
[OutputType(typeof(TableExtractionResult), ParameterSetName = [ClusterSet])]
public sealed partial class RestorePgDatabaseCommand : PgServerCmdlet
{
    private const string NameSet = "Name";
    private const string ObjectSet = "InputObject";
    private const string PathSet = "Path";

    private RepositorySettings? _settings;
    private LoadOptions _options = null!;
    private string? _path;
    private string _subject = "";
    private bool _asks;
    private int _exitCode;

    /// <summary>The name of a backup of the repository.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = NameSet)]
    [Alias("BackupName")]
    [ValidateNotNullOrEmpty]
    public string? Name { get; set; }

    /// <summary>The backup, from Get-PgBackup or Backup-PgDatabase.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = ObjectSet)]
    [ValidateNotNull]
    public DatabaseBackup? InputObject { get; set; }

    /// <summary>A dump in a file or a folder, whoever wrote it.</summary>
    [Parameter(Mandatory = true, ParameterSetName = PathSet)]
    [ValidateNotNullOrEmpty]
    public string? Path { get; set; }

    /// <summary>The database to restore into, created when it is not there; the dump's own when it is not given.</summary>
    [Parameter(Position = 1)]
    [ValidateNotNullOrEmpty]
    public string? TargetDatabase { get; set; }

    /// <summary>Only these tables, views or sequences, each with all that belongs to it.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[] Table { get; set; } = [];

    /// <summary>Only what is in these schemas.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[] Schema { get; set; } = [];

    /// <summary>No data.</summary>
    [Parameter]
    public SwitchParameter SchemaOnly { get; set; }

    /// <summary>Nothing but data, into tables that are there.</summary>
    [Parameter]
    public SwitchParameter DataOnly { get; set; }

    /// <summary>Drops the dump's objects in the target first.</summary>
    [Parameter]
    public SwitchParameter Clean { get; set; }

    /// <summary>With -Clean: an object that is not there is no error.</summary>
    [Parameter]
    public SwitchParameter IfExists { get; set; }

    /// <summary>All objects belong to the role that restores.</summary>
    [Parameter]
    public SwitchParameter NoOwner { get; set; }

    /// <summary>No GRANT and no REVOKE.</summary>
    [Parameter]
    public SwitchParameter NoPrivilege { get; set; }

    /// <summary>All or nothing: one transaction, given up at the first error.</summary>
    [Parameter]
    public SwitchParameter SingleTransaction { get; set; }

    /// <summary>Restores a backup of roles and tablespaces, which changes the whole server.</summary>
    [Parameter]
    public SwitchParameter Globals { get; set; }

    /// <summary>How many objects are restored at once.</summary>
    [Parameter]
    [ValidateRange(1, 256)]
    public int? ThrottleLimit { get; set; }

    /// <summary>Where a dump is put beside that cannot be restored as it is read.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ScratchDirectory { get; set; }

    /// <summary>Restores into a database that is not empty, and does not ask before something is dropped.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <inheritdoc/>
    protected override void Prepare()
    {
        _exitCode = ExitCodes.Success;
        if (InputObject is not null)
        {
            // A backup tells where it is; a repository that was named goes before that. Where it came from is not where it goes.
            Repository ??= InputObject.Repository;
            if (HostName == InputObject.Server)
                HostName = null;
        }
        ServerConnectionSettings server = ResolveServer();
        _path = Path is null ? null : ResolveFolder(Path);
        _settings = _path is null ? ResolveRepository() : null;
        _options = new LoadOptions
        {
            Server = server,
            TargetDatabase = TargetDatabase ?? ConnectionDatabase,
            Clean = Clean,
            IfExists = IfExists,
            Tables = Table,
            Schemas = Schema,
            SchemaOnly = SchemaOnly,
            DataOnly = DataOnly,
            NoOwner = NoOwner,
            NoPrivilege = NoPrivilege,
            ThrottleLimit = ThrottleLimit,
            Globals = Globals,
            SingleTransaction = SingleTransaction,
            AllowNonEmpty = Force,
            ScratchFolder = ScratchDirectory is null ? null : ResolveFolder(ScratchDirectory),
        };
        _subject = $"{server.Describe()}\n{_options.TargetDatabase ?? InputObject?.Name ?? Name ?? _path ?? SourceDatabase}";
        if (ParameterSetName == ClusterSet)
            PrepareExtraction();
        // Only where something is dropped: High impact, but for -Force, -Confirm:$false and $ConfirmPreference = 'None'.
        bool told = MyInvocation.BoundParameters.ContainsKey("Confirm") || GetVariableValue("ConfirmPreference") is ConfirmImpact.None or "None";
        _asks = !Force && !told;
    }

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        try
        {
            await (_extraction is null ? RestoreAsync(pipeline, cancellationToken) : ExtractAsync(_extraction, pipeline, cancellationToken));
        }
        catch (PgBackupException error) when (ParameterSetName == ObjectSet)
        {
            // The other backups of the pipeline are not concerned.
            _exitCode = error.ExitCode;
            await pipeline.WriteErrorAsync(error);
        }
    }

    /// <inheritdoc/>
    private protected override void OnSuccess()
    {
        if (_exitCode == ExitCodes.Success)
            ExitCodePolicy.Succeeded(this, _subject);
        else
            ExitCodePolicy.Failed(this, _subject, _exitCode);
    }

    /// <inheritdoc/>
    private protected override void OnFailure(Exception error) => ExitCodePolicy.Failed(this, _subject, (error as PgBackupException)?.ExitCode ?? ExitCodes.Failed);

    private async Task RestoreAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        await using DumpSource source = _path is not null
            ? await DumpSource.FromPathAsync(_path, cancellationToken)
            : await DumpSource.FromRepositoryAsync(BackupRepository.Open(_settings!), InputObject?.Name ?? Name!, cancellationToken);
        DatabaseLoad load = await DatabaseLoad.PrepareAsync(source, _options, pipeline.Log, pipeline.Progress, cancellationToken);
        string target = load.Database is null ? $"Server {load.Server}" : $"Database '{load.Database}' on {load.Server}";
        if (!await pipeline.ShouldProcessAsync(target, load.Description))
            return;
        if (load.Overwrites && _asks && !await pipeline.ShouldContinueAsync($"{load.Description} in the database '{load.Database}' on {load.Server}?", "Restore-PgDatabase"))
            return;
        var told = new List<Task>();
        DatabaseRestoreResult result = await load.RunAsync(error =>
        {
            lock (told)
                told.Add(pipeline.WriteErrorAsync(error));
        }, cancellationToken);
        await Task.WhenAll(told);
        await pipeline.WriteObjectAsync(result);
        if (result.Status != DatabaseRestoreStatus.Complete)
            throw PgErrors.RestoreIncomplete(result);
    }
}
