using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Text;
using PgBackup.Errors;
using PgBackup.Platform;

namespace PgBackup.Codecs.Gpg;

/// <summary>
/// What a gpg process makes of an object. Its input is written by a pump beside the reader, so that neither waits for the other with full pipes. The end is only told when gpg has
/// said that it decrypted all of the message and that the message's own check held.
/// </summary>
internal sealed class GpgStream : ForwardReadStream
{
    private const int PieceSize = 128 * 1024;

    private readonly Process _process;
    private readonly Stream _output;
    private readonly Stream _stored;
    private readonly string _objectName;
    private readonly GpgHome.Lease? _lease;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task<Exception?> _pump;
    private readonly Task<GpgStatus> _status;
    private bool _ended;
    private bool _disposed;

    public GpgStream(Process process, Stream stored, string objectName, SecretText? passphrase, GpgHome.Lease? lease)
    {
        _process = process;
        _output = process.StandardOutput.BaseStream;
        _stored = stored;
        _objectName = objectName;
        _lease = lease;
        _pump = Task.Run(() => PumpAsync(passphrase));
        _status = Task.Run(ListenAsync);
    }

    public override bool CanRead => !_disposed;

    public override int Read(Span<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (buffer.IsEmpty || _ended)
            return 0;
        int read = _output.Read(buffer);
        if (read == 0)
            EndAsync().GetAwaiter().GetResult();
        return read;
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (buffer.IsEmpty || _ended)
            return 0;
        int read = await _output.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        if (read == 0)
            await EndAsync().ConfigureAwait(false);
        return read;
    }

    public override async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        await _stop.CancelAsync().ConfigureAwait(false);
        if (!_process.HasExited)
            _process.Kill(); // Whoever stops reading early wants no more of it.
        await _pump.ConfigureAwait(false);
        await _status.ConfigureAwait(false);
        await _stored.DisposeAsync().ConfigureAwait(false);
        Release();
        GC.SuppressFinalize(this);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing && !_disposed)
        {
            _disposed = true;
            _stop.Cancel();
            if (!_process.HasExited)
                _process.Kill();
            _pump.GetAwaiter().GetResult();
            _status.GetAwaiter().GetResult();
            _stored.Dispose();
            Release();
        }
        base.Dispose(disposing);
    }

    private void Release()
    {
        _process.Dispose();
        _stop.Dispose();
        _lease?.Dispose();
    }

    /// <summary>Returns what went wrong with the object, never with gpg: that tells its own story.</summary>
    private async Task<Exception?> PumpAsync(SecretText? passphrase)
    {
        Stream input = _process.StandardInput.BaseStream;
        byte[] buffer = new byte[PieceSize];
        try
        {
            if (passphrase is not null)
                await WriteAsync(input, Encoding.UTF8.GetBytes(passphrase.Reveal() + "\n")).ConfigureAwait(false);
            while (true)
            {
                int read;
                try
                {
                    read = await _stored.ReadAsync(buffer, _stop.Token).ConfigureAwait(false);
                }
                catch (Exception error)
                {
                    return error;
                }
                if (read == 0 || !await WriteAsync(input, buffer.AsMemory(0, read)).ConfigureAwait(false))
                    return null;
            }
        }
        finally
        {
            await CloseAsync(input).ConfigureAwait(false);
        }
    }

    // False when gpg takes no more.
    private async Task<bool> WriteAsync(Stream input, ReadOnlyMemory<byte> piece)
    {
        try
        {
            await input.WriteAsync(piece, _stop.Token).ConfigureAwait(false);
            await input.FlushAsync(_stop.Token).ConfigureAwait(false);
            return true;
        }
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            return false;
        }
    }

    private static async Task CloseAsync(Stream input)
    {
        try
        {
            await input.DisposeAsync().ConfigureAwait(false);
        }
        catch (IOException)
        {
            // gpg has ended before.
        }
    }

    private async Task<GpgStatus> ListenAsync()
    {
        var status = new GpgStatus();
        while (await _process.StandardError.ReadLineAsync(CancellationToken.None).ConfigureAwait(false) is { } line)
            status.Add(line);
        return status;
    }

    private async Task EndAsync()
    {
        GpgStatus status = await _status.ConfigureAwait(false);
        Exception? storeFailure = await _pump.ConfigureAwait(false);
        await _process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        // What could not be fetched is not damaged.
        if (storeFailure is not null)
            ExceptionDispatchInfo.Throw(storeFailure);
        if (_process.ExitCode == 0 && status is { IsDecrypted: true, IsIntact: true })
        {
            _ended = true;
            return;
        }
        throw status is { IsMessage: true, HasKey: false }
            ? PgErrors.PgpKeyInvalid(_objectName, status.Complaint)
            : PgErrors.ObjectDamaged(_objectName, $"gpg could not decrypt it to a proven end ({status.Complaint})");
    }
}
