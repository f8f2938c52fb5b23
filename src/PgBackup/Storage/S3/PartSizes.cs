namespace PgBackup.Storage.S3;

/// <summary>
/// The sizes of the parts of an upload of unknown length. S3 takes at most 10,000 parts, each of 5 MiB (but for the last) to 5 GiB, and
/// objects of at most 5 TiB ("Amazon S3 multipart upload limits"): the first thousand parts are of the size asked for, later ones grow
/// evenly, so that the parts last for the largest object. Only objects of more than a thousand parts ever see a larger one.
/// </summary>
internal static class PartSizes
{
    public const int MaxParts = 10_000;
    public const long MinPartSize = 5L << 20;
    public const long MaxPartSize = 5L << 30;
    public const long MaxObjectSize = 5L << 40;

    private const int EvenParts = 1_000;
    private const long Step = 136L << 10;

    /// <summary>The bytes of part <paramref name="number"/> (from 1 on).</summary>
    public static long Of(int number, long first)
    {
        long even = Math.Clamp(first, MinPartSize, MaxPartSize);
        return number <= EvenParts ? even : Math.Min(MaxPartSize, even + ((number - EvenParts) * Step));
    }
}
