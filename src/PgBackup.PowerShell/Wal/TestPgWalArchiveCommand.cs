using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Postgres.Server;
using PgBackup.PowerShell.Parameters;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;
using PgBackup.Wal.Integrity;

namespace PgBackup.PowerShell.Wal;

/// <summary>Checks that the WAL archive is whole along the timelines, and on demand that every object, page and record of it is good.</summary>
[Cmdlet(VerbsDiagnostic.Test, "PgWalArchive", DefaultParameterSetName = CheckSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(WalArchiveCheck), typeof(WalSegmentRange), typeof(bool))]
public sealed class TestPgWalArchiveCommand : PgServerCmdlet
{
    private const string CheckSet = "Check";
    private const string AcknowledgeSet = "Acknowledge";
    private const string RevokeSet = "Revoke";

    private static readonly string[] s_serverParameters = ["HostName", "Port", "UserName", "Credential", "SslMode", "ConnectionString"];

    private RepositorySettings _settings = null!;
    private ServerConnectionSettings? _server;
    private WalCheckOptions _options = null!;
    private string _subject = "";
    private int _failed;

    /// <summary>From the start of this backup on, in place of the oldest one.</summary>
    [Parameter(Position = 0, ParameterSetName = CheckSet)]
    [Alias("BackupName")]
    [ValidateNotNullOrEmpty]
    public string? Name { get; set; }

    /// <summary>From this LSN or segment on, in place of the oldest backup's start.</summary>
    [Parameter(ParameterSetName = CheckSet)]
    [ValidateNotNullOrEmpty]
    public string? From { get; set; }

    /// <summary>Only the way to this timeline.</summary>
    [Parameter(ParameterSetName = CheckSet)]
    [ValidateRange(1, uint.MaxValue)]
    public uint? Timeline { get; set; }

    /// <summary>How deep: names, the content of objects, or every record.</summary>
    [Parameter(ParameterSetName = CheckSet)]
    public WalCheckLevel Level { get; set; }

    /// <summary>How many segments may be late at the newest end.</summary>
    [Parameter(ParameterSetName = CheckSet)]
    [ValidateRange(0, int.MaxValue)]
    public int? MaxDelayed { get; set; }

    /// <summary>Reads the content of so many of the newest segments only.</summary>
    [Parameter(ParameterSetName = CheckSet)]
    [ValidateRange(1L, long.MaxValue)]
    public long? Newest { get; set; }

    /// <summary>Reads the content of segments only that were stored at this time or later.</summary>
    [Parameter(ParameterSetName = CheckSet)]
    [TargetTimeTransform]
    public DateTimeOffset? Since { get; set; }

    /// <summary>How many objects are read at once.</summary>
    [Parameter(ParameterSetName = CheckSet)]
    [ValidateRange(1, 64)]
    public int ThrottleLimit { get; set; } = WalCheckOptions.DefaultThrottleLimit;

    /// <summary>Writes only whether nothing failed.</summary>
    [Parameter(ParameterSetName = CheckSet)]
    public SwitchParameter Quiet { get; set; }

    /// <summary>The missing ranges that are acknowledged, or no longer are.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = AcknowledgeSet)]
    [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = RevokeSet)]
    [ValidateNotNullOrEmpty]
    public WalSegmentRange[]? AcknowledgeGap { get; set; }

    /// <summary>Why the gap is known and cannot be closed; kept with it in the repository.</summary>
    [Parameter(Mandatory = true, ParameterSetName = AcknowledgeSet)]
    [ValidateNotNullOrEmpty]
    public string? Reason { get; set; }

    /// <summary>Takes back what was acknowledged of the ranges.</summary>
    [Parameter(Mandatory = true, ParameterSetName = RevokeSet)]
    public SwitchParameter Revoke { get; set; }

    /// <inheritdoc/>
    protected override void Prepare()
    {
        _failed = 0;
        _server = null;
        _subject = "";
        _settings = ResolveRepository();
        // What it was about: a check that looks at less does not make good what another has found.
        _subject = $"{ParameterSetName}\n{_settings.Location}";
        if (ParameterSetName != CheckSet)
            return;
        if (s_serverParameters.Any(MyInvocation.BoundParameters.ContainsKey))
            _server = ResolveServer();
        _subject = string.Join('\n', _subject, _server?.Describe(), Name, From, Timeline, Level, Newest, Since, MaxDelayed);
        WalCheckOptions said = WalCheckOptions.FromEnvironment(Environment.GetEnvironmentVariable);
        _options = said with
        {
            Backup = Name,
            From = From is null ? null : WalPosition.Parse(From),
            Timeline = Timeline is { } number ? new TimelineId(number) : null,
            Level = Level,
            MaxDelayed = MaxDelayed ?? said.MaxDelayed,
            Newest = Newest,
            Since = Since,
            ThrottleLimit = ThrottleLimit,
        };
    }

    /// <inheritdoc/>
    protected override Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        var repository = BackupRepository.Open(_settings);
        return ParameterSetName == CheckSet ? CheckAsync(repository, pipeline, cancellationToken) : RegisterAsync(repository, pipeline, cancellationToken);
    }

    /// <inheritdoc/>
    private protected override void OnSuccess()
    {
        if (ParameterSetName != CheckSet || (Quiet && _failed > 0))
            return;
        if (_failed == 0)
            ExitCodePolicy.Succeeded(this, _subject);
        else
            ExitCodePolicy.Failed(this, _subject, ExitCodes.VerificationFailed);
    }

    // With -ErrorAction Stop the error of a path ends the pipeline.
    private protected override void OnFailure(Exception error) => ExitCodePolicy.Failed(
        this, _subject, error is PgBackupException known ? known.ExitCode : _failed > 0 ? ExitCodes.VerificationFailed : ExitCodes.Failed);

    private async Task CheckAsync(BackupRepository repository, IPipeline pipeline, CancellationToken cancellationToken)
    {
        WalCheckOptions options = _options;
        if (_server is not null)
        {
            await using ServerSession session = await ServerSession.OpenMaintenanceAsync(_server, cancellationToken);
            options = options with { Server = await ServerPositionReader.ReadAsync(session, cancellationToken) };
        }
        await foreach (WalArchiveCheck check in WalArchiveChecker.RunAsync(repository, options, pipeline.Progress, cancellationToken))
        {
            if (check.Status == WalCheckStatus.Failure)
                _failed++;
            if (Quiet)
                continue;
            await pipeline.WriteObjectAsync(check);
            if (check.Status == WalCheckStatus.Failure)
                await pipeline.WriteErrorAsync(PgErrors.WalArchiveCheckFailed(repository.Location, check.Timeline, check.Reasons));
        }
        if (Quiet)
            await pipeline.WriteObjectAsync(_failed == 0);
    }

    private async Task RegisterAsync(BackupRepository repository, IPipeline pipeline, CancellationToken cancellationToken)
    {
        foreach (WalSegmentRange range in AcknowledgeGap!)
        {
            string target = $"{range} in {repository.Location}";
            if (Revoke)
            {
                if (await pipeline.ShouldProcessAsync(target, "Take back the acknowledgement of the gap"))
                    await GapRegister.RevokeAsync(repository, range, cancellationToken);
            }
            else if (await pipeline.ShouldProcessAsync(target, "Acknowledge the gap"))
            {
                await pipeline.WriteObjectAsync(await GapRegister.AcknowledgeAsync(repository, range, Reason!, cancellationToken));
            }
        }
    }
}
