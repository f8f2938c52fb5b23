using System.Runtime.InteropServices;

namespace PgBackup.PowerShell.Pipeline;

/// <summary>
/// Takes SIGTERM and SIGHUP for as long as a body runs. PowerShell handles Ctrl+C only: without this either signal ends the process at
/// once, with a backup session open in the server and half an upload in the store.
/// </summary>
internal sealed class TerminationSignals : IDisposable
{
    private readonly Action _stop;
    private readonly PosixSignalRegistration _term;
    private readonly PosixSignalRegistration _hangUp;
    private volatile bool _received;

    /// <summary>Begins to listen; <paramref name="stop"/> is called on another thread and must not block.</summary>
    public TerminationSignals(Action stop)
    {
        _stop = stop;
        _term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Take);
        _hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Take);
    }

    /// <summary>Whether one came.</summary>
    public bool Received => _received;

    /// <inheritdoc/>
    public void Dispose()
    {
        _term.Dispose();
        _hangUp.Dispose();
    }

    private void Take(PosixSignalContext context)
    {
        context.Cancel = true;
        _received = true;
        _stop();
    }
}
