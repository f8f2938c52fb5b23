namespace PgBackup.Restore.Planning;

/// <summary>Where recovery to a time stops, as a rule on times alone.</summary>
internal static class TimeSearch
{
    /// <summary>
    /// By how much a transaction that stands later in the log may have ended earlier: it takes its time a little before its place, and may wait in between.
    /// </summary>
    public static readonly TimeSpan Disorder = TimeSpan.FromMinutes(1);

    /// <summary>Whether recovery stops before a transaction that ended at a time (PostgreSQL source: xlogrecovery.c, "recoveryStopsBefore").</summary>
    public static bool StopsBefore(DateTimeOffset time, RestoreTarget target) => target.IsExclusive ? time >= target.Time : time > target.Time;

    /// <summary>
    /// The segment to begin reading with: no transaction before it stops a recovery to <paramref name="time"/>. Found by halves, so that few segments are looked into.
    /// </summary>
    /// <param name="low">The first segment that can be looked into.</param>
    /// <param name="lowest">The first segment that matters.</param>
    /// <param name="high">The last segment.</param>
    /// <param name="time">The target.</param>
    /// <param name="firstTimeFrom">The first transaction's time in the first segment from a number on, up to another, that has one.</param>
    public static async ValueTask<ulong> FindBeginAsync(
        ulong low, ulong lowest, ulong high, DateTimeOffset time, Func<ulong, ulong, Task<(ulong Number, DateTimeOffset? Time)>> firstTimeFrom)
    {
        // Whatever stands before a time that is no later than this has ended by the target.
        DateTimeOffset before = time - Disorder;
        while (low < high)
        {
            ulong middle = low + ((high - low) / 2);
            (ulong number, DateTimeOffset? first) = await firstTimeFrom(middle, high).ConfigureAwait(false);
            if (first is null || first >= before)
                high = middle;
            else
                low = number == middle ? middle + 1 : number;
        }
        // That holds for the segments before the last one whose first time is that early, not for the rest of it.
        return low > lowest ? low - 1 : low;
    }
}
