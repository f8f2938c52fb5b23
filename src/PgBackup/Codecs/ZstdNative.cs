using System.Runtime.InteropServices;
using PgBackup.Errors;

namespace PgBackup.Codecs;

/// <summary>The part of libzstd's C interface that is used here (zstd.h, the stable section; sizes are size_t).</summary>
internal static partial class ZstdNative
{
    /// <summary>ZSTD_cParameter.</summary>
    internal enum Parameter
    {
        Level = 100,
        WindowLog = 101,
        HashLog = 102,
        ChainLog = 103,
        MinMatch = 105,
        Strategy = 107,
        ContentSize = 200,
        Checksum = 201,
    }

    /// <summary>ZSTD_d_windowLogMax.</summary>
    internal const int WindowLogMax = 100;

    private const string Library = "libzstd";

    [LibraryImport(Library, EntryPoint = "ZSTD_createCCtx")]
    internal static partial ZstdCompressor CreateCompressor();

    [LibraryImport(Library, EntryPoint = "ZSTD_freeCCtx")]
    internal static partial nuint FreeCompressor(nint context);

    [LibraryImport(Library, EntryPoint = "ZSTD_CCtx_setParameter")]
    internal static partial nuint SetParameter(ZstdCompressor context, Parameter parameter, int value);

    [LibraryImport(Library, EntryPoint = "ZSTD_compress2")]
    internal static partial nuint Compress(ZstdCompressor context, ref byte destination, nuint capacity, ref byte source, nuint size);

    [LibraryImport(Library, EntryPoint = "ZSTD_compressBound")]
    internal static partial nuint CompressBound(nuint size);

    [LibraryImport(Library, EntryPoint = "ZSTD_minCLevel")]
    internal static partial int MinimumLevel();

    [LibraryImport(Library, EntryPoint = "ZSTD_maxCLevel")]
    internal static partial int MaximumLevel();

    [LibraryImport(Library, EntryPoint = "ZSTD_createDCtx")]
    internal static partial ZstdDecompressor CreateDecompressor();

    [LibraryImport(Library, EntryPoint = "ZSTD_freeDCtx")]
    internal static partial nuint FreeDecompressor(nint context);

    [LibraryImport(Library, EntryPoint = "ZSTD_DCtx_setParameter")]
    internal static partial nuint SetParameter(ZstdDecompressor context, int parameter, int value);

    [LibraryImport(Library, EntryPoint = "ZSTD_DCtx_reset")]
    internal static partial nuint Reset(ZstdDecompressor context, int what);

    [LibraryImport(Library, EntryPoint = "ZSTD_decompressDCtx")]
    internal static partial nuint Decompress(ZstdDecompressor context, ref byte destination, nuint capacity, ref byte source, nuint size);

    [LibraryImport(Library, EntryPoint = "ZSTD_decompressStream")]
    internal static unsafe partial nuint DecompressStream(ZstdDecompressor context, Buffer* output, Buffer* input);

    [LibraryImport(Library, EntryPoint = "ZSTD_findFrameCompressedSize")]
    internal static partial nuint FindFrameSize(ref byte source, nuint size);

    /// <summary>True when a size_t that the library returned is an error code.</summary>
    internal static bool IsError(nuint result) => ErrorFlag(result) != 0;

    /// <summary>The library's words for an error code.</summary>
    internal static string ErrorText(nuint result) => Marshal.PtrToStringUTF8(ErrorName(result)) ?? "unknown error";

    /// <summary>Raises <c>CompressionFailed</c> when <paramref name="result"/> is an error code.</summary>
    internal static nuint Checked(nuint result) => IsError(result) ? throw PgErrors.CompressionFailed("zstd", ErrorText(result)) : result;

    [LibraryImport(Library, EntryPoint = "ZSTD_isError")]
    private static partial uint ErrorFlag(nuint result);

    [LibraryImport(Library, EntryPoint = "ZSTD_getErrorName")]
    private static partial nint ErrorName(nuint result);

    /// <summary>ZSTD_inBuffer and ZSTD_outBuffer, which have the same layout.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct Buffer
    {
        internal byte* Data;
        internal nuint Size;
        internal nuint Position;
    }
}

/// <summary>A ZSTD_CCtx; for one thread at a time.</summary>
internal sealed class ZstdCompressor() : SafeHandle(0, ownsHandle: true)
{
    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle() => ZstdNative.FreeCompressor(handle) == 0;
}

/// <summary>A ZSTD_DCtx; for one thread at a time.</summary>
internal sealed class ZstdDecompressor() : SafeHandle(0, ownsHandle: true)
{
    public override bool IsInvalid => handle == 0;

    /// <summary>A new context that accepts windows up to 512 MiB, the most that the format's other writers use.</summary>
    internal static ZstdDecompressor Create()
    {
        ZstdDecompressor context = ZstdNative.CreateDecompressor();
        if (context.IsInvalid)
            throw new OutOfMemoryException();
        ZstdNative.Checked(ZstdNative.SetParameter(context, ZstdNative.WindowLogMax, 29));
        return context;
    }

    protected override bool ReleaseHandle() => ZstdNative.FreeDecompressor(handle) == 0;
}
