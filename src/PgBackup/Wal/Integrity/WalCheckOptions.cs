using PgBackup.Configuration;

namespace PgBackup.Wal.Integrity;

/// <summary>What a check of the archive looks at.</summary>
public sealed record WalCheckOptions
{
    /// <summary>From the start of this backup on; null for the oldest backup that is not permanent.</summary>
    public string? Backup { get; init; }

    /// <summary>From this position on; null for the start of a backup.</summary>
    public WalPosition? From { get; init; }

    /// <summary>Only the path to this timeline; null for the current one and those that backups need.</summary>
    public TimelineId? Timeline { get; init; }

    /// <summary>How deep.</summary>
    public WalCheckLevel Level { get; init; }

    /// <summary>How many segments may be late at the newest end.</summary>
    public int MaxDelayed { get; init; } = GapJudge.MaxDelayed;

    /// <summary>How many may be on their way at the same time.</summary>
    public int UploadWindow { get; init; } = GapJudge.UploadWindow;

    /// <summary>How many objects are read at the same time.</summary>
    public int ThrottleLimit { get; init; } = DefaultThrottleLimit;

    /// <summary>Of the content only that of so many of the newest segments; null for all.</summary>
    public long? Newest { get; init; }

    /// <summary>Of the content only that of segments that were stored at this time or later; null for all.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Where the server is; null when none was asked.</summary>
    public ServerPosition? Server { get; init; }

    /// <summary>How many segments in a row one reader takes.</summary>
    internal int ChunkLength { get; init; } = 16;

    /// <summary>What WAL-G's variables say: WALG_INTEGRITY_MAX_DELAYED_WALS and WALG_UPLOAD_CONCURRENCY. Throws <c>SettingInvalid</c>.</summary>
    public static WalCheckOptions FromEnvironment(Func<string, string?> environment)
    {
        return new WalCheckOptions
        {
            MaxDelayed = Read("WALG_INTEGRITY_MAX_DELAYED_WALS", GapJudge.MaxDelayed),
            UploadWindow = Read("WALG_UPLOAD_CONCURRENCY", GapJudge.UploadWindow),
        };

        int Read(string name, int otherwise) => Setting.Variable(environment, name) is { } setting ? SettingText.Number(setting, 0, 1_000_000) : otherwise;
    }

    /// <summary>Eight, or one for each processor where there are fewer.</summary>
    public static int DefaultThrottleLimit => Math.Min(8, Environment.ProcessorCount);
}

/// <summary>A place in the log that a user names: an LSN or a segment.</summary>
public readonly record struct WalPosition(Lsn? Lsn, WalSegmentName? Segment)
{
    /// <summary>Reads an LSN or the name of a segment. Throws <c>WalPositionInvalid</c>.</summary>
    public static WalPosition Parse(string text)
    {
        if (WalSegmentName.TryParse(text.Trim(), out WalSegmentName segment))
            return new WalPosition(null, segment);
        return PgBackup.Lsn.TryParse(text, null, out Lsn lsn) ? new WalPosition(lsn, null) : throw Errors.PgErrors.WalPositionInvalid(text);
    }

    /// <summary>The number of the segment.</summary>
    public ulong NumberFor(WalSegmentSize size) => Segment is { } segment ? segment.NumberFor(size) : size.SegmentNumberOf(Lsn!.Value);

    /// <inheritdoc/>
    public override string ToString() => Segment?.ToString() ?? Lsn?.ToString() ?? "";
}

/// <summary>Where a server is in its log.</summary>
/// <param name="Server">The server, as host and port.</param>
/// <param name="SystemIdentifier">The cluster.</param>
/// <param name="Timeline">The timeline that it is on.</param>
/// <param name="Lsn">The end of its log.</param>
public sealed record ServerPosition(string Server, ulong SystemIdentifier, TimelineId Timeline, Lsn Lsn);
