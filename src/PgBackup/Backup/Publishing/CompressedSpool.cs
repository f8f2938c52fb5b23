using PgBackup.Codecs;

namespace PgBackup.Backup.Publishing;

/// <summary>
/// Text that is collected during a backup and written at its end, compressed in memory: some ten bytes a file, where the text has a hundred.
/// </summary>
internal sealed class CompressedSpool : IDisposable
{
    private readonly ChunkedMemory _memory = new();
    private readonly Stream _compressor;
    private bool _closed;

    public CompressedSpool()
    {
        _compressor = StreamEncoder.Open(_memory, CompressionMethod.Zstd, leaveOpen: true);
    }

    public bool IsEmpty { get; private set; } = true;

    public void Write(ReadOnlySpan<byte> text)
    {
        _compressor.Write(text);
        IsEmpty = false;
    }

    /// <summary>Appends all that was collected to a stream, once; nothing can be written afterwards.</summary>
    public async Task CopyToAsync(Stream target, CancellationToken cancellationToken)
    {
        if (!_closed)
            await _compressor.DisposeAsync().ConfigureAwait(false);
        _closed = true;
        Stream plain = StreamDecoder.Open(_memory, CompressionMethod.Zstd, leaveOpen: true);
        await using (plain.ConfigureAwait(false))
            await plain.CopyToAsync(target, 1 << 20, cancellationToken).ConfigureAwait(false);
    }

    public void Dispose()
    {
        if (!_closed)
            _compressor.Dispose();
        _closed = true;
        _memory.Dispose();
    }
}
