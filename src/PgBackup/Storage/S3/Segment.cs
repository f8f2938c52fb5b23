using System.Collections.Concurrent;

namespace PgBackup.Storage.S3;

/// <summary>The pieces of memory of which buffers are made: of one size, so that each fits all, and kept for use again.</summary>
internal static class Segment
{
    /// <summary>The bytes of a segment.</summary>
    public const int Size = 1 << 20;

    private const int MostKept = 128;
    private static readonly ConcurrentBag<byte[]> s_kept = [];

    /// <summary>Takes a segment; its content is whatever it was.</summary>
    public static byte[] Take() => s_kept.TryTake(out byte[]? segment) ? segment : GC.AllocateUninitializedArray<byte>(Size);

    /// <summary>Gives a segment back.</summary>
    public static void Return(byte[] segment)
    {
        if (s_kept.Count < MostKept)
            s_kept.Add(segment);
    }
}
