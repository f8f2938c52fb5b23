namespace PgBackup.Wal.Status;

/// <summary>From where on the watchman speaks up.</summary>
public sealed record WalArchiveThresholds
{
    /// <summary>More finished files than this waiting to be archived are a backlog; and so many segments the repository may be behind.</summary>
    public int MaxBacklog { get; init; } = 10;

    /// <summary>No finished file may wait longer.</summary>
    public TimeSpan MaxAge { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>No slot may hold back more WAL, no receiver be further behind.</summary>
    public ByteSize MaxSlotLag { get; init; } = new(1L << 30);

    /// <summary>So much is to be free where pg_wal lies.</summary>
    public ByteSize MinFreeSpace { get; init; } = new(1L << 30);

    /// <summary>So long a failure that is over is still told.</summary>
    public TimeSpan FailureWindow { get; init; } = TimeSpan.FromHours(1);
}

/// <summary>How to look.</summary>
public sealed record WalArchiveStatusOptions
{
    /// <summary>From where on to speak up.</summary>
    public WalArchiveThresholds Thresholds { get; init; } = new();

    /// <summary>After which time to look a second time when files wait, to see whether they become more; zero for one look only.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Whether to switch WAL and wait for the segment.</summary>
    public bool Probe { get; init; }

    /// <summary>How long to wait for it.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);
}
