using PgBackup.Errors;
using PgBackup.Postgres.Server;

namespace PgBackup.Wal.Receiving;

/// <summary>What to receive, and how soon it must be safe.</summary>
public sealed record WalReceiveOptions
{
    /// <summary>The server.</summary>
    public required ServerConnectionSettings Server { get; init; }

    /// <summary>The physical replication slot, by which the server keeps what was not received yet; also the connection's application_name.</summary>
    public required string Slot { get; init; }

    /// <summary>Makes the slot when there is none of that name.</summary>
    public bool CreateSlot { get; init; }

    /// <summary>Where to end; null to go on until it is stopped.</summary>
    public ReceiveLimit? Until { get; init; }

    /// <summary>How long received WAL waits at most before it is put into the repository.</summary>
    public TimeSpan MaxLag { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How much time lies at least between two pieces while nobody waits for them; <see cref="MaxLag"/> when null.</summary>
    public TimeSpan? FlushInterval { get; init; }

    /// <summary>Goes on behind a gap when the server no longer has what the repository needs next.</summary>
    public bool AllowGap { get; init; }

    /// <summary>How long a receiver that is stopped tries to store what it has.</summary>
    public TimeSpan StopGrace { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>The time between two pieces.</summary>
    internal TimeSpan Interval => FlushInterval ?? MaxLag;

    /// <summary>Throws <c>ReceiveOptionsInvalid</c>.</summary>
    internal void Require()
    {
        // The server's own rule (slot.c, ReplicationSlotValidateName); the name stands in commands.
        if (Slot.Length is 0 or > 63 || Slot.AsSpan().ContainsAnyExcept("abcdefghijklmnopqrstuvwxyz0123456789_"))
            throw PgErrors.ReceiveOptionsInvalid($"'{Slot}' is no name for a replication slot: lower-case letters, digits and underscores, 63 at most.");
        if (MaxLag <= TimeSpan.Zero || MaxLag > TimeSpan.FromDays(1))
            throw PgErrors.ReceiveOptionsInvalid($"MaxLag is {MaxLag}; it lies between a moment and a day.");
        if (Interval < TimeSpan.Zero || Interval > MaxLag)
            throw PgErrors.ReceiveOptionsInvalid($"FlushInterval is {Interval}, longer than MaxLag, {MaxLag}: what waits longer is not safe in time.");
    }
}
