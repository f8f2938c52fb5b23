using PgBackup.Backup.Packing;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.Server;

namespace PgBackup.Backup;

/// <summary>How a backup began.</summary>
/// <param name="Lsn">Where replay begins.</param>
/// <param name="Time">The server's clock.</param>
/// <param name="Segment">The WAL segment that gives the backup its name, on the timeline that the backup is taken on.</param>
internal sealed record BackupStart(Lsn Lsn, DateTimeOffset Time, WalSegmentName Segment);

/// <summary>What <see cref="IClusterSource.CopyAsync"/> works with.</summary>
/// <param name="Name">The backup's name.</param>
/// <param name="Start">How it began.</param>
/// <param name="Parts">Takes the data parts and the part of the control file.</param>
/// <param name="Parent">What a delta rests on; null for a full backup.</param>
internal sealed record BackupCopy(BackupName Name, BackupStart Start, PartWriter Parts, Deltas.DeltaParent? Parent);

/// <summary>
/// Where the data of a backup comes from: a data directory on this host, or a server at a distance. One backup is taken from it: started, copied, stopped; disposing
/// of it at any moment ends the server's side of the backup.
/// </summary>
internal interface IClusterSource : IAsyncDisposable
{
    /// <summary>The cluster.</summary>
    BackupTarget Target { get; }

    /// <summary>A session for questions; not to be used while <see cref="CopyAsync"/> runs.</summary>
    ServerSession Server { get; }

    /// <summary>The history of the server's timeline as the server itself has it; null where it cannot be had. Not to be asked of timeline 1, which has none.</summary>
    Task<TimelineHistory?> ReadHistoryAsync(CancellationToken cancellationToken);

    /// <summary>Begins the backup; returns when the server has made its checkpoint.</summary>
    Task<BackupStart> StartAsync(CancellationToken cancellationToken);

    /// <summary>Writes the data parts and, last of all files, the control file.</summary>
    Task CopyAsync(BackupCopy copy, CancellationToken cancellationToken);

    /// <summary>Ends the backup, without waiting for its WAL.</summary>
    Task<BackupStop> StopAsync(CancellationToken cancellationToken);

    /// <summary>The bytes of the data directory; known when <see cref="CopyAsync"/> has ended.</summary>
    long DataBytes { get; }

    /// <summary>What the server's archiver complains of, if its last attempt failed.</summary>
    Task<string?> ArchiverComplaintAsync(CancellationToken cancellationToken);
}
