using System.Buffers;
using System.Runtime.ExceptionServices;
using System.Threading.Channels;

namespace PgBackup.Codecs;

/// <summary>
/// Compresses one long stream on many cores: the input is cut into blocks, each is encoded by itself, and they are written in their order. Memory is bounded by the workers:
/// about four MiB for each. What it wrote is whole only after <see cref="CompleteAsync"/>; disposed of without it, nothing more is written. Used by one writer at a time.
/// </summary>
public sealed class ParallelEncoder : IAsyncDisposable
{
    /// <summary>The bytes of a block.</summary>
    public const int BlockSize = 2 << 20;

    /// <summary>The most blocks that are encoded at once.</summary>
    public const int MostWorkers = 16;

    private readonly Stream _destination;
    private readonly PartEncoder _encoder;
    private readonly PartStream _part;
    private readonly ArrayBufferWriter<byte> _output = new();
    private readonly Channel<Task<Block>> _blocks = Channel.CreateUnbounded<Task<Block>>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
    private readonly SemaphoreSlim _slots;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _writing;
    private byte[] _block = ArrayPool<byte>.Shared.Rent(BlockSize);
    private int _length;
    private bool _completed;
    private volatile ExceptionDispatchInfo? _failure;

    private ParallelEncoder(Stream destination, PartEncoder encoder, int workers)
    {
        _destination = destination;
        _encoder = encoder;
        _part = encoder.BeginPart();
        _slots = new SemaphoreSlim(Math.Clamp(workers, 1, MostWorkers) + 1); // One more is being written.
        _writing = Task.Run(WriteBlocksAsync);
    }

    /// <summary>The room for the next bytes, never empty; fill some of it, then call <see cref="AdvanceAsync"/>.</summary>
    public Memory<byte> Free => _block.AsMemory(_length, BlockSize - _length);

    /// <summary>An encoder into <paramref name="destination"/>, which stays open. gzip is written too: for files, not for repositories.</summary>
    /// <param name="destination">Where the encoded bytes go.</param>
    /// <param name="method">The method.</param>
    /// <param name="level">The method's own level; null for its default.</param>
    /// <param name="workers">How many blocks are encoded at once, at most <see cref="MostWorkers"/>.</param>
    /// <exception cref="Errors.PgBackupException"><c>CompressionMethodReadOnly</c>, <c>CompressionLevelInvalid</c>.</exception>
    public static ParallelEncoder Open(Stream destination, CompressionMethod method, int? level, int workers)
    {
        ArgumentNullException.ThrowIfNull(destination);
        return new ParallelEncoder(destination, method == CompressionMethod.Gzip ? new GzipPartEncoder(level) : PartEncoder.Create(method, level), workers);
    }

    /// <summary>Takes so many bytes of <see cref="Free"/>. Throws what the destination has thrown.</summary>
    public ValueTask AdvanceAsync(int count, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)(BlockSize - _length));
        _length += count;
        return _length == BlockSize ? SubmitAsync(cancellationToken) : ValueTask.CompletedTask;
    }

    /// <summary>Takes bytes. Throws what the destination has thrown.</summary>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken = default)
    {
        while (!bytes.IsEmpty)
        {
            int count = Math.Min(bytes.Length, BlockSize - _length);
            bytes[..count].CopyTo(Free);
            bytes = bytes[count..];
            await AdvanceAsync(count, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Writes what is held back, and the end. Throws what the destination has thrown.</summary>
    public async Task CompleteAsync(CancellationToken cancellationToken = default)
    {
        if (_length > 0)
            await SubmitAsync(cancellationToken).ConfigureAwait(false);
        _blocks.Writer.Complete();
        await _writing.WaitAsync(cancellationToken).ConfigureAwait(false);
        _part.Complete(_output);
        await SendAsync(cancellationToken).ConfigureAwait(false);
        _completed = true;
    }

    /// <summary>Ends it; what was not completed is given up.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_completed)
            await _stop.CancelAsync().ConfigureAwait(false);
        _blocks.Writer.TryComplete();
        await _writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // The encoder must not go while it works.
        while (_blocks.Reader.TryRead(out Task<Block>? left))
        {
            await ((Task)left).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (left.IsCompletedSuccessfully)
                left.Result.Return();
        }
        ArrayPool<byte>.Shared.Return(_block);
        _block = [];
        _part.Dispose();
        _encoder.Dispose();
        _slots.Dispose();
        _stop.Dispose();
    }

    private async ValueTask SubmitAsync(CancellationToken cancellationToken)
    {
        await _slots.WaitAsync(cancellationToken).ConfigureAwait(false);
        if (_failure is { } failure)
        {
            _slots.Release(); // Whoever tries again is told again.
            failure.Throw();
        }
        (byte[] plaintext, int length) = (_block, _length);
        (_block, _length) = (ArrayPool<byte>.Shared.Rent(BlockSize), 0);
        _blocks.Writer.TryWrite(Task.Run(() => Encode(plaintext, length), CancellationToken.None));
    }

    private Block Encode(byte[] plaintext, int length)
    {
        byte[] encoded = ArrayPool<byte>.Shared.Rent(_encoder.MaxEncodedLength(length));
        return new Block(plaintext, length, encoded, _encoder.Encode(plaintext.AsSpan(0, length), encoded));
    }

    private async Task WriteBlocksAsync()
    {
        try
        {
            await foreach (Task<Block> encoding in _blocks.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
            {
                Block block = await encoding.ConfigureAwait(false);
                _part.Append(block.Plaintext.AsSpan(0, block.Length), block.Encoded.AsSpan(0, block.EncodedLength), _output);
                block.Return();
                await SendAsync(_stop.Token).ConfigureAwait(false);
                _slots.Release();
            }
        }
        catch (Exception error)
        {
            _failure = ExceptionDispatchInfo.Capture(error);
            _slots.Release();
            throw;
        }
    }

    private async ValueTask SendAsync(CancellationToken cancellationToken)
    {
        if (_output.WrittenCount == 0)
            return;
        await _destination.WriteAsync(_output.WrittenMemory, cancellationToken).ConfigureAwait(false);
        _output.ResetWrittenCount();
    }

    private readonly record struct Block(byte[] Plaintext, int Length, byte[] Encoded, int EncodedLength)
    {
        public void Return()
        {
            ArrayPool<byte>.Shared.Return(Plaintext);
            ArrayPool<byte>.Shared.Return(Encoded);
        }
    }
}
