using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.Configuration.Handover;
using PgBackup.Errors;
using PgBackup.Extraction;
using PgBackup.PowerShell.Parameters;
using PgBackup.PowerShell.Pipeline;
using PgBackup.PowerShell.Wal;
using PgBackup.Repository;

namespace PgBackup.PowerShell.Databases;

/// <content>Tables out of a backup of the whole cluster, as they were at a moment.</content>
public sealed partial class RestorePgDatabaseCommand
{
    private const string ClusterSet = "FromCluster";

    private TableExtractionOptions? _extraction;

    /// <summary>A backup of the whole cluster to begin with, or LATEST: the newest one that leads to the target.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ClusterSet)]
    [ValidateNotNullOrEmpty]
    public string? FromCluster { get; set; }

    /// <summary>The database of the cluster that holds the tables.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ClusterSet)]
    [ValidateNotNullOrEmpty]
    public string? SourceDatabase { get; set; }

    /// <summary>The moment to take the tables from. Local time unless an offset or zone is given.</summary>
    [Parameter(ParameterSetName = ClusterSet)]
    [TargetTimeTransform]
    public DateTimeOffset TargetTime { get; set; }

    /// <summary>The position in the WAL to take the tables from.</summary>
    [Parameter(ParameterSetName = ClusterSet)]
    [LsnTransform]
    public Lsn TargetLsn { get; set; }

    /// <summary>The restore point to take the tables from.</summary>
    [Parameter(ParameterSetName = ClusterSet)]
    [ValidateNotNullOrEmpty]
    public string? TargetName { get; set; }

    /// <summary>Takes the tables as they are at the end of what is archived; so too without any target.</summary>
    [Parameter(ParameterSetName = ClusterSet)]
    public SwitchParameter Latest { get; set; }

    /// <summary>Stops just before the target instead of just after.</summary>
    [Parameter(ParameterSetName = ClusterSet)]
    public SwitchParameter Exclusive { get; set; }

    /// <summary>The timeline to follow.</summary>
    [Parameter(ParameterSetName = ClusterSet)]
    [ValidateRange(1, uint.MaxValue)]
    public uint? Timeline { get; set; }

    /// <summary>The file for the dump of the tables, which are then not loaded.</summary>
    [Parameter(ParameterSetName = ClusterSet)]
    [ValidateNotNullOrEmpty]
    public string? Destination { get; set; }

    /// <summary>Restores all databases beside, not only the one.</summary>
    [Parameter(ParameterSetName = ClusterSet)]
    public SwitchParameter WholeCluster { get; set; }

    /// <summary>The account that runs the server beside, when this runs as root.</summary>
    [Parameter(ParameterSetName = ClusterSet)]
    [ValidateNotNullOrEmpty]
    public string? Owner { get; set; }

    /// <summary>How long recovery may take; any time when it is not given.</summary>
    [Parameter(ParameterSetName = ClusterSet)]
    [DurationTransform]
    public TimeSpan? Timeout { get; set; }

    private void PrepareExtraction()
    {
        if (Table.Length == 0)
            throw PgErrors.ExtractionOptionsInvalid("no table was named.", "Name one or more: -Table app.orders. A whole database is brought back by Restore-PgPointInTime -Start and Backup-PgDatabase.");
        if (Schema.Length > 0 || Globals)
            throw PgErrors.ExtractionOptionsInvalid("-Schema and -Globals do not go with it.", "Name the tables: -Table 'app.*' takes all of a schema.");
        EntryProgram program = EntryProgram.In(EntryScripts.FolderFor(this));
        RepositorySettings settings = _settings!;
        string? owner = Owner;
        _extraction = new TableExtractionOptions
        {
            Target = Target(),
            Backup = FromCluster,
            Timeline = Timeline is { } number ? new TimelineId(number) : null,
            Database = SourceDatabase!,
            Tables = Table,
            Destination = Destination is null ? null : ResolveFolder(Destination),
            Load = Destination is null ? _options : null,
            Overwrite = Force,
            WorkPath = _options.ScratchFolder,
            Owner = owner,
            WholeCluster = WholeCluster,
            Timeout = Timeout,
            ThrottleLimit = ThrottleLimit,
            RestoreCommand = folder => CommandIn(folder, program, settings),
        };
    }

    // What the server must know of the repository lies in the private folder, and goes with it.
    private static string CommandIn(string folder, EntryProgram program, RepositorySettings settings)
    {
        CommandAccount account = CommandAccount.OwnerOf(folder) ?? CommandAccount.Current();
        var handover = CommandConfiguration.Plan(settings, account, System.IO.Path.Combine(folder, "restore.yaml"), "restore.yaml");
        handover.RequireUsable();
        handover.Write();
        return EntryCommand.For(program, handover).RestoreCommand;
    }

    private RestoreTarget Target()
    {
        bool hasTime = MyInvocation.BoundParameters.ContainsKey(nameof(TargetTime)), hasLsn = MyInvocation.BoundParameters.ContainsKey(nameof(TargetLsn));
        int targets = (hasTime ? 1 : 0) + (hasLsn ? 1 : 0) + (TargetName is null ? 0 : 1) + (Latest ? 1 : 0);
        if (targets > 1 || (Exclusive && !hasTime && !hasLsn))
            throw PgErrors.ExtractionOptionsInvalid("the target is not clear.", "Give one of -TargetTime, -TargetLsn, -TargetName and -Latest; -Exclusive goes with a time or an LSN.");
        return hasTime ? RestoreTarget.AtTime(TargetTime, Exclusive)
            : hasLsn ? RestoreTarget.AtLsn(TargetLsn, Exclusive)
            : TargetName is not null ? RestoreTarget.AtName(TargetName)
            : RestoreTarget.Latest;
    }

    private async Task ExtractAsync(TableExtractionOptions options, IPipeline pipeline, CancellationToken cancellationToken)
    {
        TableExtraction extraction = await TableExtraction.PrepareAsync(BackupRepository.Open(_settings!), options, pipeline.Log, pipeline.Progress, cancellationToken);
        string target = options.Destination is { } file ? $"File '{file}'"
            : $"Database '{_options.TargetDatabase ?? options.Database}' on {_options.Server.Describe()}";
        string tables = string.Join(", ", options.Tables);
        if (!await pipeline.ShouldProcessAsync(target, $"{(options.Destination is null ? "Load" : "Dump")} {tables} of '{options.Database}' as of {extraction.Plan}"))
            return;
        if (options.Load is { Clean: true } && _asks && !await pipeline.ShouldContinueAsync($"Drop {tables} in {target}, and load them as of {extraction.Plan}?", "Restore-PgDatabase"))
            return;
        var told = new List<Task>();
        TableExtractionResult result = await extraction.RunAsync(error =>
        {
            lock (told)
                told.Add(pipeline.WriteErrorAsync(error));
        }, cancellationToken);
        await Task.WhenAll(told);
        await pipeline.WriteObjectAsync(result);
        if (result.Load is { Status: not DatabaseRestoreStatus.Complete } partial)
            throw PgErrors.RestoreIncomplete(partial);
    }
}
