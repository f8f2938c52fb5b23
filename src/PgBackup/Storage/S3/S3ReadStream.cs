using System.IO.Hashing;
using System.Security.Cryptography;
using PgBackup.Errors;
using PgBackup.Platform;

namespace PgBackup.Storage.S3;

/// <summary>
/// An object, or a part of it, read forward: ranges side by side, ahead of the reader as far as memory goes. Every range after the first asks
/// for the same ETag, so that an object that is replaced meanwhile gives an error and no mixture.
/// </summary>
/// <remarks>
/// An object of one put that is read whole is proven: by the CRC-32 that our writer left with it, else by its ETag where that is an MD5. The
/// digests of objects of several parts are bound to the parts' bounds, which ranges do not follow; there the frames' own checksums of the
/// compressed content (zstd, lz4) and the tags of the encrypted one stand in, which cover every byte.
/// </remarks>
internal sealed class S3ReadStream : ForwardReadStream
{
    private const long RangeSize = 8L << 20;
    private const int MostAhead = 6;

    private readonly S3Context _context;
    private readonly string _key;
    private readonly ObjectFacts _facts;
    private readonly Queue<S3Range> _ranges = new();
    private readonly CancellationTokenSource _lifetime;
    private readonly long _end;
    private readonly Crc32? _crc;
    private readonly IncrementalHash? _md5;
    private long _next;
    private S3Range? _current;
    private long _position;
    private bool _isProven;

    private S3ReadStream(S3Context context, string key, S3Range first, ObjectFacts facts, long offset, long? length, CancellationTokenSource lifetime)
    {
        _context = context;
        _key = key;
        _facts = facts;
        _lifetime = lifetime;
        _end = length is { } wanted && wanted < facts.Size - offset ? offset + wanted : facts.Size;
        _next = Math.Min(_end, offset + RangeSize);
        _ranges.Enqueue(first);
        if (offset == 0 && _end == facts.Size)
        {
            if (facts.ContentCrc is { Length: 8 })
                _crc = new Crc32();
            else if (facts.HasMd5)
                _md5 = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
        }
        ReadAhead();
    }

    /// <summary>Opens an object; the first range is the question whether it is there. Throws <c>ObjectNotFound</c>.</summary>
    public static async Task<Stream> OpenAsync(S3Context context, string key, long offset, long? length, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ObjectKey.Validate(key);
        if (length <= 0)
            return await EmptyAsync(context, key, cancellationToken).ConfigureAwait(false);
        var lifetime = new CancellationTokenSource();
        var first = new S3Range(context, key, offset, Math.Min(length ?? RangeSize, RangeSize), null, lifetime.Token);
        try
        {
            if (await first.Facts.WaitAsync(cancellationToken).ConfigureAwait(false) is { } facts)
                return new S3ReadStream(context, key, first, facts, offset, length, lifetime);
        }
        catch
        {
            await first.GiveUpAsync().ConfigureAwait(false);
            lifetime.Dispose();
            throw;
        }
        await first.GiveUpAsync().ConfigureAwait(false);
        lifetime.Dispose();
        return await EmptyAsync(context, key, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        if (buffer.IsEmpty)
            return 0;
        if (NeedsRange())
            NextRangeAsync(CancellationToken.None).GetAwaiter().GetResult();
        return Take(buffer);
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
            return 0;
        if (NeedsRange())
            await NextRangeAsync(cancellationToken).ConfigureAwait(false);
        return Take(buffer.Span);
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await GiveUpAsync().ConfigureAwait(false);
        await base.DisposeAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            GiveUpAsync().GetAwaiter().GetResult();
        base.Dispose(disposing);
    }

    private static async Task<Stream> EmptyAsync(S3Context context, string key, CancellationToken cancellationToken) =>
        await S3Confirmation.HeadAsync(context, key, withChecksum: false, cancellationToken).ConfigureAwait(false) is null
            ? throw PgErrors.ObjectNotFound(context.Location, key)
            : new MemoryStream([], writable: false);

    private bool NeedsRange() => (_current is null || _position == _current.Content.Length) && (_ranges.Count > 0 || _next < _end);

    private async Task NextRangeAsync(CancellationToken cancellationToken)
    {
        _current?.Dispose();
        _current = null;
        if (_ranges.Count == 0)
            Begin();
        await _ranges.Peek().Completed.WaitAsync(cancellationToken).ConfigureAwait(false);
        _current = _ranges.Dequeue();
        _position = 0;
        ReadAhead();
    }

    private int Take(Span<byte> buffer)
    {
        ReadOnlySpan<byte> bytes = _current is null ? [] : _current.Content.At(_position).Span;
        if (bytes.IsEmpty)
        {
            Prove();
            return 0;
        }
        int count = Math.Min(bytes.Length, buffer.Length);
        bytes[..count].CopyTo(buffer);
        _crc?.Append(bytes[..count]);
        _md5?.AppendData(bytes[..count]);
        _position += count;
        // Some readers stop when they have what they came for, without asking for an end.
        if (_position == _current!.Content.Length && _ranges.Count == 0 && _next >= _end)
            Prove();
        return count;
    }

    private void Prove()
    {
        if (_isProven)
            return;
        _isProven = true;
        if (_crc is not null && $"{_crc.GetCurrentHashAsUInt32():x8}" is var crc && crc != _facts.ContentCrc)
            throw PgErrors.ObjectDamaged(_key, $"its CRC-32 is {crc} instead of {_facts.ContentCrc}");
        if (_md5 is not null && Convert.ToHexStringLower(_md5.GetHashAndReset()) is var md5 && md5 != S3Confirmation.Plain(_facts.ETag))
            throw PgErrors.ObjectDamaged(_key, $"its MD5 is {md5} instead of {S3Confirmation.Plain(_facts.ETag)}");
    }

    private void ReadAhead()
    {
        while (_next < _end && _ranges.Count < MostAhead && (_ranges.Count == 0 || _context.Downloads.HasRoomAhead(RangeSize)))
            Begin();
    }

    private void Begin()
    {
        long count = Math.Min(RangeSize, _end - _next);
        _ranges.Enqueue(new S3Range(_context, _key, _next, count, _facts.ETag, _lifetime.Token));
        _next += count;
    }

    private async Task GiveUpAsync()
    {
        if (_lifetime.IsCancellationRequested)
            return;
        await _lifetime.CancelAsync().ConfigureAwait(false);
        _current?.Dispose();
        _current = null;
        while (_ranges.TryDequeue(out S3Range? range))
            await range.GiveUpAsync().ConfigureAwait(false);
        _next = _end;
        _md5?.Dispose();
    }
}
