using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Postgres.Server;
using PgBackup.PowerShell.Parameters;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;
using PgBackup.Wal.Status;

namespace PgBackup.PowerShell.Wal;

/// <summary>Watches WAL archiving: brings together what the server and the repository say at this moment, and judges it.</summary>
[Cmdlet(VerbsCommon.Get, "PgWalArchiveStatus", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(WalArchiveStatus))]
public sealed class GetPgWalArchiveStatusCommand : PgServerCmdlet
{
    private static readonly WalArchiveThresholds s_default = new();
    private ServerConnectionSettings _server = null!;
    private RepositorySettings? _settings;
    private string _subject = "";
    private int _code;

    /// <summary>More finished files than this waiting to be archived are a backlog; and so many segments the repository may be behind.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int MaxBacklog { get; set; } = s_default.MaxBacklog;

    /// <summary>No finished file may wait longer.</summary>
    [Parameter]
    [DurationTransform]
    public TimeSpan MaxAge { get; set; } = s_default.MaxAge;

    /// <summary>No slot may hold back more WAL, no receiver be further behind.</summary>
    [Parameter]
    [ByteSizeTransform]
    public ByteSize MaxSlotLag { get; set; } = s_default.MaxSlotLag;

    /// <summary>So much is to be free where pg_wal lies.</summary>
    [Parameter]
    [ByteSizeTransform]
    public ByteSize MinFreeSpace { get; set; } = s_default.MinFreeSpace;

    /// <summary>So long a failure that is over is still told.</summary>
    [Parameter]
    [DurationTransform]
    public TimeSpan FailureWindow { get; set; } = s_default.FailureWindow;

    /// <summary>After which time to look a second time when files wait, to see whether they become more; 0s for one look.</summary>
    [Parameter]
    [DurationTransform]
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>Switches WAL and waits until the segment is in the repository.</summary>
    [Parameter]
    public SwitchParameter Probe { get; set; }

    /// <summary>How long -Probe waits.</summary>
    [Parameter]
    [DurationTransform]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <inheritdoc/>
    protected override void Prepare()
    {
        _code = ExitCodes.Success;
        _subject = "";
        _server = ResolveServer();
        try
        {
            _settings = ResolveRepository();
        }
        catch (PgBackupException error) when (error.Id == "RepositoryNotGiven")
        {
            _settings = null; // The server alone has much to say.
        }
        _subject = $"{_server.Describe()}\n{_settings?.Location}\n{Probe}";
    }

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        try
        {
            await LookAsync(pipeline, cancellationToken);
        }
        catch (PgBackupException error) when (MyInvocation.ExpectingInput)
        {
            // One of several servers: the others are looked at all the same.
            _code = error.ExitCode;
            await pipeline.WriteErrorAsync(error);
        }
    }

    /// <inheritdoc/>
    private protected override void OnSuccess()
    {
        if (_code != ExitCodes.Success)
            ExitCodePolicy.Failed(this, _subject, _code);
        else
            ExitCodePolicy.Succeeded(this, _subject);
    }

    private protected override void OnFailure(Exception error) => ExitCodePolicy.Failed(
        this, _subject, error is PgBackupException known ? known.ExitCode : _code != ExitCodes.Success ? _code : ExitCodes.Failed);

    private async Task LookAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        await using ServerSession session = await ServerSession.OpenMaintenanceAsync(_server, cancellationToken);
        BackupRepository? repository = _settings is null ? null : BackupRepository.Open(_settings);
        var options = new WalArchiveStatusOptions
        {
            Thresholds = new WalArchiveThresholds
            {
                MaxBacklog = MaxBacklog, MaxAge = MaxAge, MaxSlotLag = MaxSlotLag, MinFreeSpace = MinFreeSpace, FailureWindow = FailureWindow,
            },
            Interval = Interval,
            Probe = Probe && await pipeline.ShouldProcessAsync(session.Server, "Switch WAL and wait for the segment in the repository"),
            Timeout = Timeout,
        };
        WalArchiveStatus status = await WalArchiveStatusReader.ReadAsync(session, repository, options, cancellationToken);
        _code = ExitCodeOf(status.Status);
        await pipeline.WriteObjectAsync(status);
    }

    private static int ExitCodeOf(WalArchiveHealth health) => health switch
    {
        WalArchiveHealth.Ok => ExitCodes.Success,
        WalArchiveHealth.Warning => ExitCodes.Partial,
        _ => ExitCodes.VerificationFailed,
    };
}
