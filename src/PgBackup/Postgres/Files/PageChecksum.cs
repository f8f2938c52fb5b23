using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace PgBackup.Postgres.Files;

/// <summary>
/// The checksum of a data page (PostgreSQL source: checksum_impl.h, "pg_checksum_page"): 32 FNV-1a-like sums side by side over the
/// page's words, folded together with the block number. The page is not changed; its checksum field counts as zero.
/// </summary>
public static class PageChecksum
{
    private const int Lanes = 32;
    private const uint Prime = 16777619;
    private const int ChecksumWord = 2;
    private const uint WithoutChecksum = 0xFFFF_0000;

    private static ReadOnlySpan<uint> Seeds =>
    [
        0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
        0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
        0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
        0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756,
    ];

    /// <summary>
    /// The checksum that <paramref name="page"/> must carry as block <paramref name="blockNumber"/> of its relation's fork: counted from the
    /// fork's first file, not from the file at hand. Throws <see cref="ArgumentException"/> when the length is not a multiple of 128 bytes.
    /// </summary>
    public static ushort Compute(ReadOnlySpan<byte> page, uint blockNumber)
    {
        if (page.IsEmpty || page.Length % (Lanes * sizeof(uint)) != 0)
            throw new ArgumentException("A page's size is a multiple of 128 bytes.", nameof(page));
        uint sum = Vector512.IsHardwareAccelerated ? Sum512(page)
            : Vector256.IsHardwareAccelerated ? Sum256(page)
            : Sum128(page);
        return (ushort)(((sum ^ blockNumber) % 65535) + 1);
    }

    /// <summary>The folded sums with 512-bit vectors; the three widths give the same number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static uint Sum512(ReadOnlySpan<byte> page)
    {
        ref uint words = ref FirstWord(page);
        nuint count = (nuint)page.Length / sizeof(uint);
        Vector512<uint> mask = Vector512<uint>.AllBitsSet.WithElement(ChecksumWord, WithoutChecksum);
        Vector512<uint> a = Vector512.Create(Seeds), b = Vector512.Create(Seeds[16..]);
        a = Mix(a, Vector512.LoadUnsafe(ref words) & mask);
        b = Mix(b, Vector512.LoadUnsafe(ref words, 16));
        for (nuint i = Lanes; i < count; i += Lanes)
        {
            a = Mix(a, Vector512.LoadUnsafe(ref words, i));
            b = Mix(b, Vector512.LoadUnsafe(ref words, i + 16));
        }
        Vector512<uint> zero = Vector512<uint>.Zero;
        Vector512<uint> folded = Mix(Mix(a, zero), zero) ^ Mix(Mix(b, zero), zero);
        return Fold(folded.GetLower() ^ folded.GetUpper());
    }

    /// <summary>The folded sums with 256-bit vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static uint Sum256(ReadOnlySpan<byte> page)
    {
        ref uint words = ref FirstWord(page);
        nuint count = (nuint)page.Length / sizeof(uint);
        Vector256<uint> mask = Vector256<uint>.AllBitsSet.WithElement(ChecksumWord, WithoutChecksum);
        Vector256<uint> a = Vector256.Create(Seeds), b = Vector256.Create(Seeds[8..]);
        Vector256<uint> c = Vector256.Create(Seeds[16..]), d = Vector256.Create(Seeds[24..]);
        for (nuint i = 0; i < count; i += Lanes)
        {
            a = Mix(a, Vector256.LoadUnsafe(ref words, i) & mask);
            b = Mix(b, Vector256.LoadUnsafe(ref words, i + 8));
            c = Mix(c, Vector256.LoadUnsafe(ref words, i + 16));
            d = Mix(d, Vector256.LoadUnsafe(ref words, i + 24));
            mask = Vector256<uint>.AllBitsSet;
        }
        Vector256<uint> zero = Vector256<uint>.Zero;
        return Fold(Mix(Mix(a, zero), zero) ^ Mix(Mix(b, zero), zero) ^ Mix(Mix(c, zero), zero) ^ Mix(Mix(d, zero), zero));
    }

    /// <summary>The folded sums with 128-bit vectors, which .NET emulates on processors that have none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static uint Sum128(ReadOnlySpan<byte> page)
    {
        ref uint words = ref FirstWord(page);
        nuint count = (nuint)page.Length / sizeof(uint);
        Vector128<uint> folded = Vector128<uint>.Zero;
        // Two vectors at a time keep all sums in registers; the page stays in the first-level cache between the four passes.
        for (int lane = 0; lane < Lanes; lane += 8)
        {
            Vector128<uint> mask = lane == 0 ? Vector128<uint>.AllBitsSet.WithElement(ChecksumWord, WithoutChecksum) : Vector128<uint>.AllBitsSet;
            Vector128<uint> a = Vector128.Create(Seeds[lane..]), b = Vector128.Create(Seeds[(lane + 4)..]);
            for (nuint i = (nuint)lane; i < count; i += Lanes)
            {
                a = Mix(a, Vector128.LoadUnsafe(ref words, i) & mask);
                b = Mix(b, Vector128.LoadUnsafe(ref words, i + 4));
                mask = Vector128<uint>.AllBitsSet;
            }
            Vector128<uint> zero = Vector128<uint>.Zero;
            folded ^= Mix(Mix(a, zero), zero) ^ Mix(Mix(b, zero), zero);
        }
        return Fold(folded);
    }

    private static ref uint FirstWord(ReadOnlySpan<byte> page) => ref Unsafe.As<byte, uint>(ref MemoryMarshal.GetReference(page));

    private static Vector512<uint> Mix(Vector512<uint> sum, Vector512<uint> value)
    {
        Vector512<uint> mixed = sum ^ value;
        return (mixed * Prime) ^ (mixed >>> 17);
    }

    private static Vector256<uint> Mix(Vector256<uint> sum, Vector256<uint> value)
    {
        Vector256<uint> mixed = sum ^ value;
        return (mixed * Prime) ^ (mixed >>> 17);
    }

    private static Vector128<uint> Mix(Vector128<uint> sum, Vector128<uint> value)
    {
        Vector128<uint> mixed = sum ^ value;
        return (mixed * Prime) ^ (mixed >>> 17);
    }

    private static uint Fold(Vector256<uint> sums) => Fold(sums.GetLower() ^ sums.GetUpper());

    private static uint Fold(Vector128<uint> sums) => sums[0] ^ sums[1] ^ sums[2] ^ sums[3];
}
