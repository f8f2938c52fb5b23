using System.Globalization;

namespace PgBackup.Wal.Status;

/// <summary>Slots that hold WAL back or lost it, and receivers that have none.</summary>
internal static class SlotRules
{
    public static void Apply(WalArchiveFacts facts, WalArchiveThresholds thresholds, WalVerdict verdict)
    {
        ServerFacts server = facts.Server;
        foreach (WalSlotStatus slot in server.Slots)
        {
            if (Judge(slot, server, thresholds) is { } reason)
                verdict.Warn(reason);
        }
        if (server.Receivers is null)
        {
            verdict.Note("The role may not see who receives WAL (pg_stat_replication): grant it pg_monitor.");
            return;
        }
        ByteSize kept = new(Megabytes(server, "wal_keep_size"));
        foreach (WalReceiverStatus receiver in server.Receivers)
        {
            if (receiver.SlotName is not null || receiver.Lag is not { } lag)
                continue;
            // Checkpoints remove what is older than their own redo point and not kept (xlog.c, KeepLogSeg).
            if (lag > kept && receiver.FlushLsn < server.RedoLsn)
                verdict.Warn($"'{receiver.Name}' receives WAL without a slot and is {lag} behind, and wal_keep_size keeps {kept}: what it needs may be removed at any checkpoint. Give it a slot (primary_slot_name), or raise wal_keep_size.");
            else if (kept.Bytes == 0)
                verdict.Note($"'{receiver.Name}' receives WAL without a slot, and wal_keep_size is 0: after a pause it may find that what it needs was removed.");
            if (lag > thresholds.MaxSlotLag)
                verdict.Warn($"'{receiver.Name}' is {lag} behind.");
        }
    }

    private static string? Judge(WalSlotStatus slot, ServerFacts server, WalArchiveThresholds thresholds)
    {
        string drop = $"SELECT pg_drop_replication_slot('{slot.Name}')";
        if (slot.IsLost)
            return $"The slot '{slot.Name}' is lost{(slot.InvalidationReason is { } why ? $" ({why})" : "")}: who used it can never go on. Drop it ({drop}) and set its consumer up anew.";
        if (slot.WalStatus == "unreserved")
            return $"The slot '{slot.Name}' is about to be lost: it is {slot.Lag} behind, more than max_slot_wal_keep_size allows. Get its consumer to run at once, or raise the setting and reload.";
        if (slot.Lag is not { } lag || lag <= thresholds.MaxSlotLag)
            return null;
        long bound = Megabytes(server, "max_slot_wal_keep_size");
        string end = bound < 0 ? "max_slot_wal_keep_size sets no bound: the disk of pg_wal will run full" : slot.SafeSize is { } safe ? $"after {safe} more it is lost" : "max_slot_wal_keep_size bounds it";
        if (slot.IsActive)
            return $"'{slot.Receiver ?? "The consumer"}' of the slot '{slot.Name}' is {lag} behind; {end}. Look at the network and the disk of who receives.";
        string since = slot.InactiveSince is { } time ? $" since {Spell.Time(time)}" : "";
        return $"Nobody uses the slot '{slot.Name}'{since}, and it holds {lag} of WAL back; {end}. Start its consumer, or drop it: {drop}";
    }

    // Both settings are in megabytes; -1 for no bound.
    private static long Megabytes(ServerFacts server, string name) =>
        long.TryParse(server.Settings.ValueOf(name), CultureInfo.InvariantCulture, out long value) ? (value < 0 ? -1 : value << 20) : 0;
}
