using PgBackup.Repository;

namespace PgBackup.Wal.Status;

/// <summary>What the repository holds of the server's WAL.</summary>
internal sealed record RepositoryFacts
{
    public required string Location { get; init; }

    /// <summary>Why it could not be asked; null when it could.</summary>
    public string? Problem { get; init; }

    /// <summary>Whether it holds what the server archived last; null when the server archived nothing yet.</summary>
    public bool? HoldsLastArchived { get; init; }

    /// <summary>The newest whole segment of the server's timeline.</summary>
    public WalSegmentName? Newest { get; init; }

    /// <summary>What pieces hold of the newest segment of which there are any, on the server's timeline; null when there are none behind <see cref="Newest"/>.</summary>
    public WalTail? Tail { get; init; }

    /// <summary>The newest segment that has come, whole or in pieces.</summary>
    public WalSegmentName? Arrived => Tail?.Segment ?? Newest;

    /// <summary>Where the timeline of the server began, by its history in the repository; null for the first one, and when the repository has no history of it.</summary>
    public Lsn? TimelineStart { get; init; }

    /// <summary>Where what has arrived ends; null when nothing has.</summary>
    public Lsn? EndFor(WalSegmentSize size) =>
        Tail is { } tail ? tail.Segment.StartFor(size) + (ulong)tail.Length : Newest?.NextFor(size).StartFor(size);

    /// <summary>What is wrong with the newest segment's object; null when nothing is.</summary>
    public string? NewestProblem { get; init; }

    /// <summary>The oldest backup, where the segment that its recovery begins with is missing; null when it is there, or there is no backup.</summary>
    public BackupName? OldestBackupWithoutWal { get; init; }
}

/// <summary>What is free where pg_wal lies.</summary>
/// <param name="Free">In bytes; null when unknown.</param>
/// <param name="WhyUnknown">Why it is unknown.</param>
internal sealed record DiskFacts(long? Free, string? WhyUnknown);

/// <summary>What came of switching WAL and waiting.</summary>
/// <param name="Segment">The segment that was switched away from; null when nothing was switched.</param>
/// <param name="Duration">How long it took until it was in the repository and read; null when it was not.</param>
/// <param name="Problem">Why not.</param>
internal sealed record ProbeFacts(WalSegmentName? Segment, TimeSpan? Duration, string? Problem);

/// <summary>All that was found, to be judged.</summary>
internal sealed record WalArchiveFacts
{
    public required ServerFacts Server { get; init; }

    public required RepositoryFacts? Repository { get; init; }

    public required DiskFacts Disk { get; init; }

    public required ProbeFacts? Probe { get; init; }

    /// <summary>Bytes a second that the backlog grows by.</summary>
    public required long? Growth { get; init; }

    /// <summary>Whether <see cref="Growth"/> was seen in a few seconds only: a burst looks like this, too.</summary>
    public bool IsGrowthBrief { get; init; }

    /// <summary>How many finished segments the repository does not have at the newest end.</summary>
    public long? LagSegments => Repository?.Arrived is { } newest
        ? Math.Max(0, (long)Server.CurrentSegment.NumberFor(Server.SegmentSize) - (long)newest.NumberFor(Server.SegmentSize) - 1)
        : null;

    /// <summary>How many bytes the repository does not have.</summary>
    public long? Lag => End is { } end ? Math.Max(0, Server.CurrentLsn - end) : null;

    /// <summary>Where what has arrived ends.</summary>
    public Lsn? End => Repository?.EndFor(Server.SegmentSize);

    /// <summary>
    /// Since when, at least, the server has had more than the repository: a segment that the repository does not have whole was finished, or a checkpoint began behind its end.
    /// Null when nothing of that kind is seen; what was written since the last checkpoint into a segment that goes on is not.
    /// </summary>
    public DateTimeOffset? BeyondSince
    {
        get
        {
            if (End is not { } end)
                return null;
            DateTimeOffset? since = null;
            // Who stores whole segments only is always behind the one that goes on.
            if ((Repository!.Tail is not null || Server.HasMarkedReceiver == true) && Server.RedoLsn > end)
                since = Server.RedoTime;
            ulong first = end.Value / (ulong)Server.SegmentSize.Bytes, current = Server.CurrentLsn.Value / (ulong)Server.SegmentSize.Bytes;
            foreach (WalFileFacts file in Server.WalFiles ?? [])
            {
                if (file.Segment.Timeline == Server.Timeline && file.Segment.NumberFor(Server.SegmentSize) is var number && number >= first && number < current
                    && !(since <= file.Written))
                    since = file.Written;
            }
            return since;
        }
    }

    public TimeSpan? TimeToFull => Growth > 0 && Disk.Free is { } free ? TimeSpan.FromSeconds((double)free / Growth.Value) : null;

    public WalArchiveMethod Method => Server.IsArchiving
        ? Server.Settings.ValueOf("archive_library").Length > 0 ? WalArchiveMethod.Library : WalArchiveMethod.Command
        : Repository?.Arrived is not null && Server.Slots.Any(s => s.IsPhysical && s.IsActive) ? WalArchiveMethod.Streaming
        : WalArchiveMethod.None;
}
