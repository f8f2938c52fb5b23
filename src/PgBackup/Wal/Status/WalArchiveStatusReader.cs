using PgBackup.Postgres.Server;
using PgBackup.Repository;

namespace PgBackup.Wal.Status;

/// <summary>Asks the server, the repository and this host how archiving is, and judges the answers.</summary>
public static class WalArchiveStatusReader
{
    /// <summary>
    /// The state at this moment. <paramref name="repository"/> may be null: then only the server is asked. A repository that cannot be reached is a reason of the verdict, a
    /// server that cannot is an error: throws what the session throws.
    /// </summary>
    public static async Task<WalArchiveStatus> ReadAsync(
        ServerSession session, BackupRepository? repository, WalArchiveStatusOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new WalArchiveStatusOptions();
        // First: what it makes fail shows in what is read after it.
        ProbeFacts? probe = options.Probe ? await WalProbe.RunAsync(session, repository, options.Timeout, cancellationToken).ConfigureAwait(false) : null;
        // The server before the repository, which then has what the server says, and more.
        ServerFacts server = await ServerReader.ReadAsync(session, cancellationToken).ConfigureAwait(false);
        (long? growth, bool isBrief) = await GrowthAsync(session, server, options.Interval, cancellationToken).ConfigureAwait(false);
        var facts = new WalArchiveFacts
        {
            Server = server,
            Growth = growth,
            IsGrowthBrief = isBrief,
            Disk = await DiskReader.ReadAsync(session, server.Settings, cancellationToken).ConfigureAwait(false),
            Repository = repository is null ? null : await RepositoryReader.ReadAsync(repository, server, cancellationToken).ConfigureAwait(false),
            Probe = probe,
        };
        return Describe(facts, WalArchiveJudge.Judge(facts, options.Thresholds));
    }

    private static async Task<(long? Growth, bool IsBrief)> GrowthAsync(ServerSession session, ServerFacts server, TimeSpan interval, CancellationToken cancellationToken)
    {
        if (BacklogGrowth.FromOneLook(server) is { } growth)
            return (growth, false);
        if (interval <= TimeSpan.Zero || !BacklogGrowth.NeedsSecondLook(server))
            return (null, false);
        WalMoment first = await ServerReader.ReadMomentAsync(session, cancellationToken).ConfigureAwait(false);
        await Task.Delay(interval, cancellationToken).ConfigureAwait(false);
        WalMoment second = await ServerReader.ReadMomentAsync(session, cancellationToken).ConfigureAwait(false);
        return (BacklogGrowth.FromTwoLooks(server, first, second), true);
    }

    private static WalArchiveStatus Describe(WalArchiveFacts facts, WalVerdict verdict)
    {
        ServerFacts server = facts.Server;
        ServerSettings settings = server.Settings;
        ArchiverFacts archiver = server.Archiver;
        return new WalArchiveStatus
        {
            Server = server.Server,
            Repository = facts.Repository?.Location,
            Status = verdict.Status,
            Reasons = verdict.Reasons,
            Notes = verdict.Notes,
            Method = facts.Method,
            IsStandby = server.IsStandby,
            WalLevel = settings.ValueOf("wal_level"),
            ArchiveMode = settings.ValueOf("archive_mode"),
            ArchiveCommand = settings.ValueOf("archive_command"),
            ArchiveLibrary = settings.ValueOf("archive_library"),
            ArchiveTimeout = settings.ArchiveTimeout,
            ArchivedCount = archiver.Archived,
            LastArchivedWal = archiver.LastArchived,
            LastArchivedTime = archiver.LastArchivedTime,
            LastArchivedAge = server.Now - archiver.LastArchivedTime,
            FailedCount = archiver.Failed,
            LastFailedWal = archiver.LastFailed,
            LastFailedTime = archiver.LastFailedTime,
            StatsReset = archiver.Reset,
            ReadyCount = server.Ready?.Count,
            OldestReadyTime = server.Ready?.Oldest,
            BacklogGrowth = Size(facts.Growth),
            Timeline = server.Timeline,
            CurrentLsn = server.CurrentLsn,
            CurrentSegment = server.CurrentSegment,
            NewestSegment = facts.Repository?.Arrived,
            IsNewestReadable = facts.Repository is not { Newest: not null, Tail: null } ? null : facts.Repository.NewestProblem is null,
            LagSegments = facts.LagSegments,
            Lag = Size(facts.Lag),
            Slots = server.Slots.ToArray(),
            Receivers = server.Receivers?.ToArray() ?? Array.Empty<WalReceiverStatus>(),
            WalSize = Size(server.WalBytes),
            FreeSpace = Size(facts.Disk.Free),
            TimeToFull = facts.TimeToFull,
            ProbeSegment = facts.Probe?.Segment,
            ProbeDuration = facts.Probe?.Duration,
        };
    }

    private static ByteSize? Size(long? bytes) => bytes is { } known ? new ByteSize(known) : null;
}
