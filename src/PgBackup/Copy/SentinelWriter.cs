using PgBackup.Errors;
using PgBackup.Storage;

namespace PgBackup.Copy;

/// <summary>
/// Publishes backups, the sentinel last. wal-g orders backups by the age of their sentinels, so that two of them must not get one time in a store that tells
/// it by the second.
/// </summary>
internal sealed class SentinelWriter(IObjectStore source, IObjectStore target)
{
    private static readonly TimeSpan s_grain = TimeSpan.FromMilliseconds(1050);

    private DateTimeOffset _before;
    private bool _isCoarse;

    /// <summary>
    /// Writes the sentinel as it was when the plan was made. Throws <c>ObjectChanged</c> when the source's has changed or was deleted since, <c>BackupNameTaken</c>, and
    /// <c>CopyNotConfirmed</c>.
    /// </summary>
    public async Task PublishAsync(PlannedBackup backup, CancellationToken cancellationToken)
    {
        byte[]? now = await source.TryReadAllAsync(backup.Sentinel.Key, cancellationToken).ConfigureAwait(false);
        if (now is null || !now.AsSpan().SequenceEqual(backup.SentinelContent))
            throw PgErrors.CopySourceChanged(source.Location, backup.Sentinel.Key, now is null ? "the backup was deleted." : "the backup was replaced.");
        if (_isCoarse && _before + s_grain - DateTimeOffset.UtcNow is { Ticks: > 0 } pause && pause <= s_grain)
            await Task.Delay(pause, cancellationToken).ConfigureAwait(false);
        try
        {
            await target.PutAsync(backup.Sentinel.Key, backup.SentinelContent, PutCondition.IfAbsent, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id == "ObjectExists")
        {
            byte[]? there = await target.TryReadAllAsync(backup.Sentinel.Key, cancellationToken).ConfigureAwait(false);
            if (there is null || !there.AsSpan().SequenceEqual(backup.SentinelContent))
                throw PgErrors.CopyNameTaken(backup.Name.Text, target.Location);
        }
        _before = DateTimeOffset.UtcNow;
        StoredObject? written = await target.StatAsync(backup.Sentinel.Key, cancellationToken).ConfigureAwait(false);
        if (written?.Size != backup.SentinelContent.Length)
            throw PgErrors.CopyNotConfirmed(target.Location, backup.Sentinel.Key, "is not there.");
        _isCoarse = written.Value.LastModified.Ticks % TimeSpan.TicksPerSecond == 0;
    }
}
