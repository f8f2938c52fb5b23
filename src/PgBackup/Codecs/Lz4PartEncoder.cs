using System.Buffers;
using System.Buffers.Binary;
using System.IO.Hashing;
using K4os.Compression.LZ4;

namespace PgBackup.Codecs;

/// <summary>
/// LZ4 parts: one frame with independent blocks of at most 4 MiB and a content checksum; a chunk begins a new block. One frame, because
/// WAL-G up to 3.0.8 reads no further than the first.
/// </summary>
internal sealed class Lz4PartEncoder : PartEncoder
{
    private const int BlockHeader = 4;

    private readonly LZ4Level _level;

    internal Lz4PartEncoder(int? level)
        : base(CompressionMethod.Lz4)
    {
        // The level of the lz4 tool; 1 and 2 are the fast mode, which K4os calls 0.
        int number = CheckedLevel("lz4", level ?? 1, 1, (int)LZ4Level.L12_MAX);
        _level = number < (int)LZ4Level.L03_HC ? LZ4Level.L00_FAST : (LZ4Level)number;
    }

    public override int MaxEncodedLength(int plaintextLength) =>
        checked(plaintextLength + BlockHeader * (int)((plaintextLength + (Lz4Frame.LargestBlock - 1L)) / Lz4Frame.LargestBlock));

    public override int Encode(ReadOnlySpan<byte> plaintext, Span<byte> destination)
    {
        int written = 0;
        while (!plaintext.IsEmpty)
        {
            ReadOnlySpan<byte> block = plaintext[..Math.Min(plaintext.Length, Lz4Frame.LargestBlock)];
            plaintext = plaintext[block.Length..];
            written += EncodeBlock(block, destination[written..]);
        }
        return written;
    }

    public override PartStream BeginPart() => new Part();

    private int EncodeBlock(ReadOnlySpan<byte> block, Span<byte> destination)
    {
        // Room for one byte less than the block: what does not become smaller is stored.
        Span<byte> room = destination.Slice(BlockHeader, block.Length - 1);
        int size = room.IsEmpty ? -1 : LZ4Codec.Encode(block, room, _level);
        if (size > 0)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(destination, (uint)size);
            return BlockHeader + size;
        }
        BinaryPrimitives.WriteUInt32LittleEndian(destination, (uint)block.Length | Lz4Frame.StoredBlock);
        block.CopyTo(destination[BlockHeader..]);
        return BlockHeader + block.Length;
    }

    private sealed class Part : PartStream
    {
        private const byte BlocksOf4MiB = 0x70;

        private readonly XxHash32 _hash = new();
        private bool _begun;

        public override void Append(ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> encoded, IBufferWriter<byte> output)
        {
            Begin(output);
            _hash.Append(plaintext);
            output.Write(encoded);
        }

        public override void Complete(IBufferWriter<byte> output)
        {
            Begin(output);
            Span<byte> end = output.GetSpan(8);
            BinaryPrimitives.WriteUInt32LittleEndian(end, 0);
            BinaryPrimitives.WriteUInt32LittleEndian(end[4..], _hash.GetCurrentHashAsUInt32());
            output.Advance(8);
        }

        private void Begin(IBufferWriter<byte> output)
        {
            if (_begun)
                return;
            _begun = true;
            Span<byte> header = output.GetSpan(7);
            BinaryPrimitives.WriteUInt32LittleEndian(header, Lz4Frame.Magic);
            header[4] = Lz4Frame.Version | Lz4Frame.IndependentBlocks | Lz4Frame.ContentChecksum;
            header[5] = BlocksOf4MiB;
            header[6] = (byte)(XxHash32.HashToUInt32(header[4..6]) >> 8);
            output.Advance(7);
        }
    }
}
