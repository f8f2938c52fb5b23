namespace PgBackup.Wal.Status;

/// <summary>Whether pg_wal's disk has room, and for how long.</summary>
internal static class DiskRules
{
    private static readonly TimeSpan s_soon = TimeSpan.FromDays(1);
    private static readonly TimeSpan s_now = TimeSpan.FromHours(1);

    public static void Apply(WalArchiveFacts facts, WalArchiveThresholds thresholds, WalVerdict verdict)
    {
        if (facts.Disk.Free is not { } bytes)
        {
            verdict.Note($"What is free where pg_wal lies is unknown: {facts.Disk.WhyUnknown}.");
            return;
        }
        ByteSize free = new(bytes);
        const string End = "when it is full, the server stops";
        // Room for two segments at most: the next one may be the last.
        if (bytes <= 2L * facts.Server.SegmentSize.Bytes)
            verdict.Fail($"{free} are free where pg_wal lies: {End}, at once. Make room (never by deleting files of pg_wal), then see to archiving and slots.");
        else if (facts.TimeToFull is { } time && time < s_soon && (!facts.IsGrowthBrief || IsBehind(facts.Server, thresholds)))
            (time < s_now && !facts.IsGrowthBrief ? (Action<string>)verdict.Fail : verdict.Warn)($"{free} are free where pg_wal lies, full in about {Spell.Span(time)} if it goes on like this: {End}.");
        else if (free < thresholds.MinFreeSpace)
            verdict.Warn($"{free} are free where pg_wal lies: {End}. Make room (never by deleting files of pg_wal).");
    }

    // A burst of a few seconds that is archived a moment later fills no disk.
    private static bool IsBehind(ServerFacts server, WalArchiveThresholds thresholds) =>
        server.Ready?.Count > thresholds.MaxBacklog || server.Now - server.Ready?.Oldest > thresholds.MaxAge || server.Slots.Any(s => s.Lag > thresholds.MaxSlotLag);
}
