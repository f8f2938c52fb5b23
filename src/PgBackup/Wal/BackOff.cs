namespace PgBackup.Wal;

/// <summary>Pauses between tries: each twice as long as the one before, up to the longest.</summary>
/// <param name="first">The first pause.</param>
/// <param name="longest">No pause is longer.</param>
internal sealed class BackOff(TimeSpan first, TimeSpan longest)
{
    private TimeSpan _next = first;

    /// <summary>The pause before the next try.</summary>
    public TimeSpan Next()
    {
        TimeSpan pause = _next;
        _next = pause * 2 < longest ? pause * 2 : longest;
        return pause;
    }
}
