using System.Management.Automation;
using System.Threading.Channels;
using PgBackup.Configuration;
using PgBackup.PowerShell.Parameters;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;
using PgBackup.Wal.Receiving;

namespace PgBackup.PowerShell.Wal;

/// <summary>Receives a server's WAL by streaming replication into the repository, as it is written.</summary>
[Cmdlet(VerbsCommunications.Receive, "PgWal")]
[OutputType(typeof(ReceivedWal))]
public sealed class ReceivePgWalCommand : PgServerCmdlet
{
    // Longer than what a stopped receiver takes for its last pieces.
    private static readonly TimeSpan s_stopGrace = TimeSpan.FromSeconds(40);

    private RepositorySettings _settings = null!;
    private WalReceiveOptions _options = null!;

    /// <summary>The physical replication slot; the server keeps for it what was not received yet. It is the connection's application_name, too.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNullOrEmpty]
    public string Slot { get; set; } = "";

    /// <summary>Makes the slot when there is none of that name.</summary>
    [Parameter]
    public SwitchParameter CreateSlot { get; set; }

    /// <summary>Where to end: an LSN, a span of time, or a moment. Without it receiving goes on until it is stopped.</summary>
    [Parameter]
    [ReceiveLimitTransform]
    public ReceiveLimit? Until { get; set; }

    /// <summary>How long received WAL waits at most before it is put into the repository.</summary>
    [Parameter]
    [DurationTransform]
    public TimeSpan? MaxLag { get; set; }

    /// <summary>How much time lies at least between two pieces of the unfinished segment.</summary>
    [Parameter]
    [DurationTransform]
    public TimeSpan? FlushInterval { get; set; }

    /// <summary>Goes on behind a gap when the server no longer has the WAL that the repository needs next.</summary>
    [Parameter]
    public SwitchParameter AllowGap { get; set; }

    /// <inheritdoc/>
    protected override TimeSpan StopGrace => s_stopGrace;

    /// <inheritdoc/>
    protected override void Prepare()
    {
        _settings = ResolveRepository();
        var options = new WalReceiveOptions
        {
            Server = ResolveServer(),
            Slot = Slot,
            CreateSlot = CreateSlot,
            Until = Until,
            FlushInterval = FlushInterval,
            AllowGap = AllowGap,
        };
        _options = MaxLag is { } lag ? options with { MaxLag = lag } : options;
    }

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        // What the pipeline does with the objects must not hold the receiver up.
        var received = Channel.CreateUnbounded<ReceivedWal>(new UnboundedChannelOptions { SingleReader = true });
        Task writing = WriteAsync(received.Reader, pipeline);
        try
        {
            await WalReceiver.RunAsync(
                BackupRepository.Open(_settings), _options, item => received.Writer.TryWrite(item), pipeline.Log, pipeline.Progress, cancellationToken);
        }
        finally
        {
            received.Writer.Complete();
            await writing;
        }
    }

    private static async Task WriteAsync(ChannelReader<ReceivedWal> items, IPipeline pipeline)
    {
        await foreach (ReceivedWal item in items.ReadAllAsync())
            await pipeline.WriteObjectAsync(item);
    }
}
