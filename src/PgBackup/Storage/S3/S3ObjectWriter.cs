using PgBackup.Errors;

namespace PgBackup.Storage.S3;

/// <summary>
/// An object on its way into the store: one put when it fits into a part, else a multipart upload whose parts are sent while the next is
/// being filled. What was begun and not committed is aborted.
/// </summary>
internal sealed class S3ObjectWriter : ObjectWriter
{
    private static readonly TimeSpan s_abortPatience = TimeSpan.FromSeconds(30);

    private readonly S3Context _context;
    private readonly string _key;
    private readonly S3Upload _upload;
    private readonly List<Task<UploadedPart>> _parts = [];
    private readonly CancellationTokenSource _lifetime = new();
    private SegmentBuffer _filling;
    private long _written;
    private bool _ended;

    private S3ObjectWriter(S3Context context, string key, PutCondition condition)
    {
        _context = context;
        _key = key;
        _upload = new S3Upload(context, key, condition);
        _filling = new SegmentBuffer(context.Uploads);
    }

    /// <inheritdoc/>
    public override bool IsContentProven => _upload.IsProven;

    private long PartSize => PartSizes.Of(_parts.Count + 1, _context.Settings.PartSize);

    /// <summary>Begins an object. Throws <c>ObjectExists</c> when the condition forbids it already.</summary>
    public static async Task<ObjectWriter> OpenAsync(S3Context context, string key, PutCondition condition, CancellationToken cancellationToken)
    {
        ObjectKey.Validate(key);
        var writer = new S3ObjectWriter(context, key, condition);
        await writer._upload.CheckConditionAsync(cancellationToken).ConfigureAwait(false);
        return writer;
    }

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_ended, this);
        if (_written + buffer.Length > PartSizes.MaxObjectSize)
            throw PgErrors.StorageWriteFailed(_context.Location, _key, new IOException("An object of S3 has at most 5 TiB."));
        while (!buffer.IsEmpty)
        {
            long room = PartSize - _filling.Length;
            if (room == 0)
            {
                await SendPartAsync(cancellationToken).ConfigureAwait(false);
                continue;
            }
            int count = (int)Math.Min(room, buffer.Length);
            _filling.Append(buffer.Span[..count]);
            _written += count;
            buffer = buffer[count..];
        }
    }

    /// <inheritdoc/>
    public override async Task CommitAsync(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_ended, this);
        cancellationToken.ThrowIfCancellationRequested();
        if (_parts.Count == 0)
        {
            await _upload.PutAsync(_filling, cancellationToken).ConfigureAwait(false);
            _filling.Dispose();
            _ended = true;
            return;
        }
        if (_filling.Length > 0)
            await SendPartAsync(cancellationToken).ConfigureAwait(false);
        UploadedPart[] parts = await Task.WhenAll(_parts).WaitAsync(cancellationToken).ConfigureAwait(false);
        await _upload.CompleteAsync(parts, cancellationToken).ConfigureAwait(false);
        _ended = true;
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        if (!_ended)
        {
            _ended = true;
            await _lifetime.CancelAsync().ConfigureAwait(false);
            // Before the abort: a part that arrived after it would stay.
            await ((Task)Task.WhenAll(_parts)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_upload.IsOpen)
                await AbortAsync().ConfigureAwait(false);
        }
        _filling.Dispose();
        _lifetime.Dispose();
    }

    private async Task AbortAsync()
    {
        // Not the caller's token: that may be the reason why we are here.
        using var patience = new CancellationTokenSource(s_abortPatience);
        try
        {
            await _upload.AbortAsync(patience.Token).ConfigureAwait(false);
        }
        catch (Exception error) when (error is PgBackupException or OperationCanceledException)
        {
            // The store has gone. That is told by whatever made us give up; Test-PgBackupRepository finds what was left.
        }
    }

    private async Task SendPartAsync(CancellationToken cancellationToken)
    {
        foreach (Task<UploadedPart> part in _parts)
        {
            if (part.IsFaulted)
                await part.ConfigureAwait(false); // Throws: the rest need not be sent.
        }
        if (!_upload.IsOpen)
            await _upload.BeginAsync(cancellationToken).ConfigureAwait(false);
        SegmentBuffer content = _filling;
        long size = content.Length;
        await _context.Uploads.BeginFlightAsync(size, cancellationToken).ConfigureAwait(false);
        _filling = new SegmentBuffer(_context.Uploads);
        _parts.Add(SendAsync(_parts.Count + 1, content, size));
    }

    private async Task<UploadedPart> SendAsync(int number, SegmentBuffer content, long size)
    {
        try
        {
            // In a task of its own: the digests of this part are computed while the next is filled.
            return await Task.Run(() => _upload.PutPartAsync(number, content, _lifetime.Token)).ConfigureAwait(false);
        }
        finally
        {
            content.Dispose();
            _context.Uploads.EndFlight(size);
        }
    }
}
