using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PgBackup.Postgres;

/// <summary>
/// CRC-32C (Castagnoli) as PostgreSQL computes it for WAL records and pg_control (pg_crc32c.h): begin with <see cref="Start"/>,
/// append, and <see cref="Finish"/>. Uses the processor's instruction where it has one.
/// </summary>
public static class Crc32C
{
    /// <summary>The state before the first byte.</summary>
    public const uint Start = 0xFFFF_FFFF;

    /// <summary>The state after <paramref name="data"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static uint Append(uint state, ReadOnlySpan<byte> data)
    {
        ref byte at = ref MemoryMarshal.GetReference(data);
        nint length = data.Length;
        nint i = 0;
        for (; i + 8 <= length; i += 8)
        {
            ulong word = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref at, i));
            state = BitOperations.Crc32C(state, BitConverter.IsLittleEndian ? word : BinaryPrimitives.ReverseEndianness(word));
        }
        for (; i < length; i++)
            state = BitOperations.Crc32C(state, Unsafe.Add(ref at, i));
        return state;
    }

    /// <summary>The checksum that belongs to a state.</summary>
    public static uint Finish(uint state) => ~state;

    /// <summary>The checksum of <paramref name="data"/>.</summary>
    public static uint Compute(ReadOnlySpan<byte> data) => Finish(Append(Start, data));
}
