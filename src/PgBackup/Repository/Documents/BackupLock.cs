namespace PgBackup.Repository.Documents;

/// <summary>A lock on a backup.</summary>
/// <param name="Until">When it ends by itself (UTC); null for one that does not.</param>
/// <param name="Since">When it was set (UTC).</param>
internal sealed record BackupLock(DateTimeOffset? Until, DateTimeOffset Since);

/// <summary>What a run that removes backups is about to remove; written before the first sentinel goes, gone when all is done.</summary>
/// <param name="Since">When the run began to remove (UTC).</param>
/// <param name="Backups">The names.</param>
internal sealed record RemovalRecord(DateTimeOffset Since, IReadOnlyList<string> Backups);
