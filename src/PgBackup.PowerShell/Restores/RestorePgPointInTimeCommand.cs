using System.Management.Automation;
using PgBackup.PowerShell.Parameters;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;
using PgBackup.Restore;

namespace PgBackup.PowerShell.Restores;

/// <summary>Brings a cluster back to a chosen point.</summary>
[Cmdlet(VerbsData.Restore, "PgPointInTime", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium, DefaultParameterSetName = LatestSet)]
[OutputType(typeof(RestoreResult))]
public sealed class RestorePgPointInTimeCommand : PgRestoreCmdlet
{
    private RestoreOptions _options = null!;
    private bool _asks;

    /// <summary>The data directory to restore to: empty or absent, unless -Force, -Delta or -StopServer is given.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    [Alias("PGDATA", "Destination")]
    [ValidateNotNullOrEmpty]
    public string DataDirectory { get; set; } = null!;

    /// <summary>Starts the server and follows it until it has reached the target.</summary>
    [Parameter]
    public SwitchParameter Start { get; set; }

    /// <summary>Restores in place: stops the server on the destination, sets its directory aside (not with -Delta), restores, starts.</summary>
    [Parameter]
    public SwitchParameter StopServer { get; set; }

    /// <summary>The port of the started server; a free one when it is not given.</summary>
    [Parameter]
    [ValidateRange(1, 65535)]
    public int? Port { get; set; }

    /// <summary>The account that gets the files and runs the server, when this runs as root.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Owner { get; set; }

    /// <summary>How long recovery may take after the start; any time when it is not given.</summary>
    [Parameter]
    [DurationTransform]
    public TimeSpan? Timeout { get; set; }

    /// <summary>How many parts or ranges are read at once; the number of cores when it is not given.</summary>
    [Parameter]
    [ValidateRange(1, 256)]
    public int? ThrottleLimit { get; set; }

    /// <inheritdoc/>
    protected override TimeSpan StopGrace => TimeSpan.FromMinutes(3); // Stopping a server that replays WAL takes a while.

    /// <inheritdoc/>
    private protected override string? Destination => DataDirectory;

    /// <inheritdoc/>
    private protected override string? OwnerName => Owner;

    /// <inheritdoc/>
    protected override void Prepare()
    {
        base.Prepare();
        _options = new RestoreOptions
        {
            Request = Request with { StopServer = StopServer },
            Owner = Owner,
            Start = Start,
            Port = Port,
            Timeout = Timeout,
            ThrottleLimit = ThrottleLimit,
        };
        // Only where something that is there would be replaced: High impact, but for -Force, -Confirm:$false and $ConfirmPreference = 'None'.
        bool told = MyInvocation.BoundParameters.ContainsKey("Confirm")
            || GetVariableValue("ConfirmPreference") is ConfirmImpact.None or "None";
        _asks = (StopServer || Delta) && !Force && !told && Directory.Exists(Request.DataDirectory);
    }

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        Handover?.RequireUsable();
        PointInTimeRestore restore = await PointInTimeRestore.PrepareAsync(
            BackupRepository.Open(Settings), _options, pipeline.Log, pipeline.Progress, cancellationToken);
        string action = Delta ? $"{(StopServer ? "Stop the server, change" : "Change")} the files in place, and restore {restore.Plan}"
            : StopServer ? $"Stop the server, set its data directory aside, and restore {restore.Plan}"
            : Force ? $"Replace what is there, and restore {restore.Plan}"
            : $"Restore {restore.Plan}";
        if (!await pipeline.ShouldProcessAsync(Request.DataDirectory!, action))
            return;
        if (_asks && !await pipeline.ShouldContinueAsync($"{action} in '{Request.DataDirectory}'?", "Restore-PgPointInTime"))
            return;
        if (Handover is { Files.Count: > 0 })
        {
            Handover.Write();
            pipeline.Log.Warning($"For restore_command of the restored server these files were written: {string.Join(", ", Handover.Files)}.");
        }
        await pipeline.WriteObjectAsync(await restore.RunAsync(cancellationToken));
    }
}
