namespace PgBackup.Repository.Documents;

/// <summary>Which cluster a repository belongs to.</summary>
/// <param name="SystemIdentifier">The cluster's system identifier.</param>
/// <param name="PgVersion">The major version of the server that was seen first, e.g. 15.</param>
/// <param name="WalSegmentSize">The size of its WAL segments in bytes.</param>
/// <param name="RecordedAt">When it was recorded.</param>
public sealed record ClusterIdentity(ulong SystemIdentifier, int PgVersion, int WalSegmentSize, DateTimeOffset RecordedAt);

/// <summary>Who holds the right to take a backup into a repository.</summary>
/// <param name="Token">A random number that only the holder knows to be its own.</param>
/// <param name="Backup">What is being done: the backup's name once it is known.</param>
/// <param name="HostName">The holder's host.</param>
/// <param name="ProcessId">The holder's process.</param>
/// <param name="ProcessStarted">When that process started, because ids are used again.</param>
/// <param name="Since">When the lease was taken.</param>
/// <param name="RenewedAt">When the holder last said that it lives.</param>
/// <param name="ProcessScope">
/// Within what process ids count: one start of one machine, one container. Two of them may well have the same host name. Null where that cannot be told.
/// </param>
public sealed record LeaseRecord(
    string Token, string Backup, string HostName, int ProcessId, DateTimeOffset ProcessStarted, DateTimeOffset Since, DateTimeOffset RenewedAt,
    string? ProcessScope = null);
