using System.Globalization;
using PgBackup.Errors;

namespace PgBackup;

/// <summary>What a restore is aimed at.</summary>
public enum RestoreTargetKind
{
    /// <summary>The end of the archived WAL.</summary>
    Latest,

    /// <summary>The first point at which the backup is consistent.</summary>
    Immediate,

    /// <summary>A moment.</summary>
    Time,

    /// <summary>A position in the WAL.</summary>
    Lsn,

    /// <summary>A transaction.</summary>
    Xid,

    /// <summary>A named restore point.</summary>
    Name,
}

/// <summary>What the server does when it has reached the target (PostgreSQL: <c>recovery_target_action</c>).</summary>
public enum RecoveryTargetAction
{
    /// <summary>It takes connections and begins a timeline of its own.</summary>
    Promote,

    /// <summary>It waits, open for reading, until pg_wal_replay_resume().</summary>
    Pause,

    /// <summary>It shuts down.</summary>
    Shutdown,
}

/// <summary>The point that a restore shall reach (PostgreSQL documentation, "Recovery Target").</summary>
public sealed record RestoreTarget
{
    private RestoreTarget(RestoreTargetKind kind) => Kind = kind;

    /// <summary>The end of the archived WAL.</summary>
    public static RestoreTarget Latest { get; } = new(RestoreTargetKind.Latest);

    /// <summary>The first consistent point of the backup.</summary>
    public static RestoreTarget Immediate { get; } = new(RestoreTargetKind.Immediate);

    /// <summary>The kind.</summary>
    public RestoreTargetKind Kind { get; }

    /// <summary>The moment, in UTC and whole microseconds, when the kind is time.</summary>
    public DateTimeOffset? Time { get; private init; }

    /// <summary>The position, when the kind is LSN.</summary>
    public Lsn? Lsn { get; private init; }

    /// <summary>The transaction, when the kind is xid.</summary>
    public uint? Xid { get; private init; }

    /// <summary>The restore point, when the kind is name.</summary>
    public string? Name { get; private init; }

    /// <summary>Whether recovery stops just before the target instead of just after.</summary>
    public bool IsExclusive { get; private init; }

    /// <summary>A moment: what was committed up to it is there. The server counts microseconds; what is finer is cut off.</summary>
    public static RestoreTarget AtTime(DateTimeOffset time, bool exclusive = false) =>
        new(RestoreTargetKind.Time) { Time = new DateTimeOffset(time.UtcTicks - (time.UtcTicks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero), IsExclusive = exclusive };

    /// <summary>A position.</summary>
    public static RestoreTarget AtLsn(Lsn lsn, bool exclusive = false) => new(RestoreTargetKind.Lsn) { Lsn = lsn, IsExclusive = exclusive };

    /// <summary>A transaction, with or without its epoch (only the lower 32 bits stand in the WAL).</summary>
    public static RestoreTarget AtXid(ulong xid, bool exclusive = false) => (uint)xid >= 3
        ? new(RestoreTargetKind.Xid) { Xid = (uint)xid, IsExclusive = exclusive }
        : throw PgErrors.TargetInvalid($"{xid} is not the id of a transaction that commits.");

    /// <summary>A restore point made by pg_create_restore_point.</summary>
    public static RestoreTarget AtName(string name) => name.Length > 0
        ? new(RestoreTargetKind.Name) { Name = name }
        : throw PgErrors.TargetInvalid("the name is empty.");

    /// <summary>For people.</summary>
    public override string ToString()
    {
        string text = Kind switch
        {
            RestoreTargetKind.Time => "time " + TargetTime.ToPostgres(Time!.Value),
            RestoreTargetKind.Lsn => $"LSN {Lsn}",
            RestoreTargetKind.Xid => $"transaction {Xid}",
            RestoreTargetKind.Name => $"restore point '{Name}'",
            RestoreTargetKind.Immediate => "the first consistent point",
            _ => "the end of the WAL",
        };
        return IsExclusive ? text + ", exclusive" : text;
    }

    /// <summary>The setting that makes the server stop here; null for the end of the WAL, which has none.</summary>
    internal KeyValuePair<string, string>? Setting() => Kind switch
    {
        RestoreTargetKind.Time => new("recovery_target_time", TargetTime.ToPostgres(Time!.Value)),
        RestoreTargetKind.Lsn => new("recovery_target_lsn", Lsn!.Value.ToString()),
        RestoreTargetKind.Xid => new("recovery_target_xid", Xid!.Value.ToString(CultureInfo.InvariantCulture)),
        RestoreTargetKind.Name => new("recovery_target_name", Name!),
        RestoreTargetKind.Immediate => new("recovery_target", "immediate"),
        _ => null,
    };
}
