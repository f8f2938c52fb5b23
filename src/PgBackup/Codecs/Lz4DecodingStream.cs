using System.Buffers;
using System.Buffers.Binary;
using System.IO.Hashing;
using K4os.Compression.LZ4;

namespace PgBackup.Codecs;

/// <summary>
/// Decodes a series of LZ4 frames, skippable ones among them (lz4_Frame_format.md). Every checksum and size that a frame declares
/// is verified. Legacy frames and dictionaries are refused.
/// </summary>
internal sealed class Lz4DecodingStream(Stream source, string? objectName, bool leaveOpen) : DecodingStream(source, 1 << 20, objectName, leaveOpen)
{
    private readonly XxHash32 _contentHash = new();
    private byte[]? _block;
    private int _historyLength;
    private int _pendingStart;
    private int _pendingEnd;
    private State _state = State.Start;
    private int _flags;
    private int _maxBlock;
    private ulong _declaredSize;
    private ulong _size;
    private long _skip;

    private enum State
    {
        Start,
        Block,
        Skipping,
        FrameEnd,
    }

    private protected override bool IsComplete => _state == State.FrameEnd;

    private protected override void Decode(ReadOnlySpan<byte> input, bool inputEnded, Span<byte> output, out int consumed, out int written)
    {
        (consumed, written) = (0, 0);
        if (_pendingStart < _pendingEnd)
        {
            written = Math.Min(output.Length, _pendingEnd - _pendingStart);
            _block.AsSpan(_pendingStart, written).CopyTo(output);
            _pendingStart += written;
            return;
        }
        consumed = _state switch
        {
            State.Start or State.FrameEnd => ReadHeader(input),
            State.Block => ReadBlock(input),
            _ => Skip(input),
        };
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing && Interlocked.Exchange(ref _block, null) is { } block)
            ArrayPool<byte>.Shared.Return(block);
        base.Dispose(disposing);
    }

    private int ReadHeader(ReadOnlySpan<byte> input)
    {
        if (input.Length < 7)
            return 0;
        uint magic = BinaryPrimitives.ReadUInt32LittleEndian(input);
        if ((magic & 0xFFFF_FFF0) == Lz4Frame.SkippableMagic)
        {
            if (input.Length < 8)
                return 0;
            _skip = BinaryPrimitives.ReadUInt32LittleEndian(input[4..]);
            _state = _skip == 0 ? State.FrameEnd : State.Skipping;
            return 8;
        }
        if (magic != Lz4Frame.Magic)
            throw Damaged("it is not an LZ4 frame");
        _flags = input[4];
        int length = Has(Lz4Frame.ContentSize) ? 15 : 7;
        if ((_flags & Lz4Frame.VersionMask) != Lz4Frame.Version || Has(Lz4Frame.Reserved | Lz4Frame.DictionaryId)
            || input[5] is not (0x40 or 0x50 or 0x60 or 0x70))
            throw Damaged("the header of its LZ4 frame is not valid");
        if (input.Length < length)
            return 0;
        if ((byte)(XxHash32.HashToUInt32(input[4..(length - 1)]) >> 8) != input[length - 1])
            throw Damaged("the header checksum of its LZ4 frame is wrong");
        _maxBlock = 1 << (8 + 2 * (input[5] >> 4));
        _declaredSize = Has(Lz4Frame.ContentSize) ? BinaryPrimitives.ReadUInt64LittleEndian(input[6..]) : 0;
        BeginFrame();
        return length;
    }

    private void BeginFrame()
    {
        (_size, _historyLength, _pendingStart, _pendingEnd) = (0, 0, 0, 0);
        _contentHash.Reset();
        int needed = Lz4Frame.History + _maxBlock;
        if (_block is null || _block.Length < needed)
        {
            if (_block is not null)
                ArrayPool<byte>.Shared.Return(_block);
            _block = ArrayPool<byte>.Shared.Rent(needed);
        }
        _state = State.Block;
    }

    private int ReadBlock(ReadOnlySpan<byte> input)
    {
        if (input.Length < 4)
            return 0;
        uint word = BinaryPrimitives.ReadUInt32LittleEndian(input);
        if (word == 0)
            return ReadEnd(input);
        uint size = word & ~Lz4Frame.StoredBlock;
        if (size > _maxBlock)
            throw Damaged("a block of its LZ4 frame is larger than the frame allows");
        int checksumLength = Has(Lz4Frame.BlockChecksum) ? 4 : 0;
        int total = 4 + (int)size + checksumLength;
        if (input.Length < total)
            return 0;
        ReadOnlySpan<byte> data = input.Slice(4, (int)size);
        if (checksumLength > 0 && XxHash32.HashToUInt32(data) != BinaryPrimitives.ReadUInt32LittleEndian(input[(total - 4)..]))
            throw Damaged("a block checksum of its LZ4 frame is wrong");
        Expand(data, stored: word != size);
        return total;
    }

    private void Expand(ReadOnlySpan<byte> data, bool stored)
    {
        KeepHistory();
        Span<byte> target = _block.AsSpan(_historyLength, _maxBlock);
        int length;
        if (stored)
        {
            data.CopyTo(target);
            length = data.Length;
        }
        else
        {
            length = _historyLength == 0 ? LZ4Codec.Decode(data, target) : LZ4Codec.Decode(data, target, _block.AsSpan(0, _historyLength));
            if (length < 0)
                throw Damaged("a block of its LZ4 frame does not decode");
        }
        (_pendingStart, _pendingEnd) = (_historyLength, _historyLength + length);
        _size += (ulong)length;
        if (Has(Lz4Frame.ContentChecksum))
            _contentHash.Append(target[..length]);
    }

    // Moves the last 64 KiB of what was decoded to the front, where the next block's matches are resolved.
    private void KeepHistory()
    {
        if (Has(Lz4Frame.IndependentBlocks))
            return;
        int kept = Math.Min(Lz4Frame.History, _pendingEnd);
        _block.AsSpan(_pendingEnd - kept, kept).CopyTo(_block);
        _historyLength = kept;
    }

    private int ReadEnd(ReadOnlySpan<byte> input)
    {
        int length = Has(Lz4Frame.ContentChecksum) ? 8 : 4;
        if (input.Length < length)
            return 0;
        if (length == 8 && _contentHash.GetCurrentHashAsUInt32() != BinaryPrimitives.ReadUInt32LittleEndian(input[4..]))
            throw Damaged("the content checksum of its LZ4 frame is wrong");
        if (Has(Lz4Frame.ContentSize) && _size != _declaredSize)
            throw Damaged("its LZ4 frame holds another number of bytes than its header says");
        _state = State.FrameEnd;
        return length;
    }

    private int Skip(ReadOnlySpan<byte> input)
    {
        int length = (int)Math.Min(input.Length, _skip);
        _skip -= length;
        if (_skip == 0)
            _state = State.FrameEnd;
        return length;
    }

    private bool Has(int flag) => (_flags & flag) != 0;
}
