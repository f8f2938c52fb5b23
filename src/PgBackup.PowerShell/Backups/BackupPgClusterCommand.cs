using System.Management.Automation;
using PgBackup.Backup;
using PgBackup.Configuration;
using PgBackup.PowerShell.Parameters;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;

namespace PgBackup.PowerShell.Backups;

/// <summary>Takes a base backup of a running cluster, full or delta.</summary>
[Cmdlet(VerbsData.Backup, "PgCluster", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(BackupResult))]
public sealed class BackupPgClusterCommand : PgServerCmdlet
{
    private RepositorySettings _settings = null!;
    private BackupOptions _options = null!;

    /// <summary>The data directory as this host sees it; the server's own setting when it is not given.</summary>
    [Parameter(Position = 0)]
    [Alias("PGDATA")]
    [ValidateNotNullOrEmpty]
    public string? DataDirectory { get; set; }

    /// <summary>Whether the files are read on this host or sent by the server; found out when it is not given.</summary>
    [Parameter]
    public BackupMode Mode { get; set; }

    /// <summary>Full, Delta, or Auto: a delta while the chain is short enough. Auto where the repository has a limit of steps, else Full.</summary>
    [Parameter]
    public BackupTypeRequest? Type { get; set; }

    /// <summary>The parent of the delta; the newest backup when it is not given.</summary>
    [Parameter]
    [Alias("Parent")]
    [ValidateNotNullOrEmpty]
    public string? DeltaFrom { get; set; }

    /// <summary>How many deltas may follow a full backup before Auto takes a full one again.</summary>
    [Parameter]
    [ValidateRange(0, 1000)]
    public int? DeltaMaxSteps { get; set; }

    /// <summary>On which backup of the newest chain the delta rests: the newest, or its full one.</summary>
    [Parameter]
    public DeltaOrigin? DeltaOrigin { get; set; }

    /// <summary>The label in backup_label and in the server's log.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [ValidateLength(1, 512)]
    public string Label { get; set; } = "PgBackup";

    /// <summary>Keeps the backup out of retention.</summary>
    [Parameter]
    public SwitchParameter Permanent { get; set; }

    /// <summary>What is kept along with the backup: text, JSON, a number, a list or a hashtable.</summary>
    [Parameter]
    [ValidateNotNull]
    public PSObject? UserData { get; set; }

    /// <summary>Lets the server spread the checkpoint at the backup's start over time, as checkpoint_completion_target says.</summary>
    [Parameter]
    public SwitchParameter SpreadCheckpoint { get; set; }

    /// <summary>How many frames are read and compressed at once; the number of cores when it is not given.</summary>
    [Parameter]
    [ValidateRange(1, 256)]
    public int? ThrottleLimit { get; set; }

    /// <summary>The bytes that may be read a second, for example 50MB.</summary>
    [Parameter]
    [ByteSizeTransform]
    public ByteSize? RateLimit { get; set; }

    /// <summary>How long to wait for the backup's WAL to arrive in the repository; 10 minutes when it is not given.</summary>
    [Parameter]
    [DurationTransform]
    public TimeSpan ArchiveTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Accepts a cluster that the repository does not know yet, beside those that it knows.</summary>
    [Parameter]
    public SwitchParameter NewLineage { get; set; }

    /// <inheritdoc/>
    protected override void Prepare()
    {
        _settings = ResolveRepository();
        ServerChoice server = ResolveServerChoice();
        DeltaRequest delta = DeltaRequest.Resolve(_settings, Type, DeltaFrom, DeltaMaxSteps, DeltaOrigin);
        _options = new BackupOptions
        {
            Type = delta.Type,
            DeltaFrom = delta.From,
            DeltaMaxSteps = delta.MaxSteps,
            DeltaOrigin = delta.Origin,
            Server = server.Connection,
            Mode = Mode,
            DataDirectory = DataDirectory is null ? server.DataDirectory : ResolveFolder(DataDirectory),
            Label = Label,
            IsPermanent = Permanent,
            UserData = UserData?.BaseObject,
            SpreadCheckpoint = SpreadCheckpoint,
            ThrottleLimit = ThrottleLimit,
            RateLimit = RateLimit,
            ArchiveTimeout = ArchiveTimeout,
            NewLineage = NewLineage,
        };
    }

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        var repository = BackupRepository.Open(_settings);
        await using ClusterBackupJob job = await ClusterBackupJob.PrepareAsync(repository, _options, pipeline.Log, pipeline.Progress, cancellationToken);
        string target = $"Cluster {job.Target.Traits.SystemIdentifier} on {job.Target.Server} ({job.Target.DataDirectory})";
        if (await pipeline.ShouldProcessAsync(target, $"{job.Description} into '{repository.Location}'"))
            await pipeline.WriteObjectAsync(await job.RunAsync(cancellationToken));
    }
}
