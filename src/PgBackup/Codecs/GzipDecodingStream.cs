using System.IO.Compression;
using PgBackup.Platform;

namespace PgBackup.Codecs;

/// <summary>
/// Decodes a series of gzip members (RFC 1952). GZipStream takes truncated input for the end, so a member of our own is put behind the
/// source: everything before it was whole only if the plaintext of that member comes out last.
/// </summary>
internal sealed class GzipDecodingStream(Stream source, string? objectName, bool leaveOpen) : DecodingStream(
    new GZipStream(new GuardedSource(source, leaveOpen), CompressionMode.Decompress), 1 << 18, objectName, leaveOpen: false)
{
    private bool _guardSeen;

    private protected override bool IsComplete => _guardSeen;

    public override int Read(Span<byte> buffer)
    {
        try
        {
            return base.Read(buffer);
        }
        catch (InvalidDataException e)
        {
            throw Damaged("it is not a valid gzip stream", e);
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            return await base.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        }
        catch (InvalidDataException e)
        {
            throw Damaged("it is not a valid gzip stream", e);
        }
    }

    private protected override void Decode(ReadOnlySpan<byte> input, bool inputEnded, Span<byte> output, out int consumed, out int written)
    {
        written = Math.Clamp(input.Length - GuardedSource.Guard.Length, 0, output.Length);
        input[..written].CopyTo(output);
        consumed = written;
        if (!inputEnded || written > 0 || _guardSeen)
            return;
        if (!input.SequenceEqual(GuardedSource.Guard))
            throw Truncated();
        _guardSeen = true;
        consumed = input.Length;
    }

    private sealed class GuardedSource(Stream source, bool leaveOpen) : ForwardReadStream
    {
        private static readonly byte[] s_guardMember = Compress();
        private int _guardPosition;
        private bool _sourceEnded;
        private bool _sourceEmpty = true;

        // Letters, so that deflate codes them and the bytes of the member do not hold them as they are.
        internal static ReadOnlySpan<byte> Guard => "whole until here"u8;

        public override int Read(Span<byte> buffer) => _sourceEnded ? ReadGuard(buffer) : Count(source.Read(buffer), buffer);

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_sourceEnded)
                return ReadGuard(buffer.Span);
            int count = await source.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            return Count(count, buffer.Span);
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing && !leaveOpen)
                source.Dispose();
            base.Dispose(disposing);
        }

        private static byte[] Compress()
        {
            using var member = new MemoryStream();
            using (var gzip = new GZipStream(member, CompressionLevel.Optimal))
                gzip.Write(Guard);
            return member.ToArray();
        }

        private int Count(int count, Span<byte> buffer)
        {
            if (count > 0)
            {
                _sourceEmpty = false;
                return count;
            }
            _sourceEnded = true;
            return ReadGuard(buffer);
        }

        private int ReadGuard(Span<byte> buffer)
        {
            // No member at all is no gzip stream; the guard alone must not make it one.
            if (_sourceEmpty)
                return 0;
            int count = Math.Min(buffer.Length, s_guardMember.Length - _guardPosition);
            s_guardMember.AsSpan(_guardPosition, count).CopyTo(buffer);
            _guardPosition += count;
            return count;
        }
    }
}
