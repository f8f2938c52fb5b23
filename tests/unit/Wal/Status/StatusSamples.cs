using PgBackup.Wal;
using PgBackup.Wal.Status;

namespace PgBackup.Tests.Wal.Status;

/// <summary>Facts of a healthy server and repository, to be spoilt by tests.</summary>
internal static class StatusSamples
{
    public static readonly DateTimeOffset Now = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);
    public const string Last = "000000010000000000000008";

    public static ServerSettings Settings(params (string Name, string Value)[] changed)
    {
        var values = new Dictionary<string, string>
        {
            ["wal_level"] = "replica", ["archive_mode"] = "on", ["archive_command"] = "pgbackup-wal push %p", ["archive_library"] = "", ["archive_timeout"] = "60",
            ["wal_keep_size"] = "0", ["max_slot_wal_keep_size"] = "-1",
        };
        foreach ((string name, string value) in changed)
            values[name] = value;
        return new ServerSettings(values.Select(v => new ServerSetting(v.Key, v.Value, "configuration file", v.Key is "wal_level" or "archive_mode", false)));
    }

    public static ServerFacts Server => new()
    {
        Server = "db1:5432",
        MajorVersion = 18,
        Settings = Settings(),
        Now = Now,
        IsStandby = false,
        SystemIdentifier = WalSamples.Cluster,
        Timeline = TimelineId.First,
        CurrentLsn = new Lsn(0x9123456),
        RedoLsn = new Lsn(0x8900000),
        RedoTime = Now.AddMinutes(-2),
        SegmentSize = WalSegmentSize.Default,
        Archiver = new ArchiverFacts(8, Last, Now.AddSeconds(-20), 0, null, null, Now.AddDays(-30)),
        Ready = new ReadyFacts(0, null, null),
        Slots = [],
        Receivers = [],
        WalBytes = 5 << 24,
        WalFiles = [],
    };

    public static RepositoryFacts Archive => new() { Location = "/repo", HoldsLastArchived = true, Newest = WalSegmentName.Parse(Last) };

    public static WalArchiveFacts Facts => new()
    {
        Server = Server, Repository = Archive, Disk = new DiskFacts(100L << 30, null), Probe = null, Growth = null,
    };

    public static WalSlotStatus Slot(string name = "s1", long lag = 0, bool active = true, string walStatus = "reserved", string? invalidation = null, bool physical = true) => new()
    {
        Name = name,
        IsPhysical = physical,
        IsActive = active,
        RestartLsn = new Lsn(0x8000000),
        Lag = new ByteSize(lag),
        WalStatus = walStatus,
        SafeSize = null,
        InvalidationReason = invalidation,
        InactiveSince = active ? null : Now.AddHours(-2),
        Receiver = active ? "walreceiver" : null,
    };

    public static WalReceiverStatus Receiver(long lag, string? slot = null) =>
        new() { Name = "replica", State = "streaming", FlushLsn = new Lsn((ulong)Math.Max(1, 0x9123456 - lag)), Lag = new ByteSize(lag), SyncState = "async", SlotName = slot };
}
