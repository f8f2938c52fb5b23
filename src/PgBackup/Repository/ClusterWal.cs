using PgBackup.Errors;

namespace PgBackup.Repository;

/// <summary>What the backups of a cluster tell about its WAL.</summary>
internal static class ClusterWal
{
    /// <summary>
    /// The size of the cluster's segments: as the newest backup's sentinel says it, as its name gives it away, or out of its control file.
    /// A backup that is damaged must not hide the others: any of them tells. Throws what reading the last resort throws.
    /// </summary>
    public static async Task<WalSegmentSize> SegmentSizeAsync(BackupRepository repository, IReadOnlyList<ClusterBackup> backups, CancellationToken cancellationToken)
    {
        PgBackupException? failure = null;
        for (int i = backups.Count - 1; i >= 0; i--)
        {
            BackupName.TryParse(backups[i].Name, out BackupName? name);
            try
            {
                if (backups[i].Sentinel?.PgBackup?.WalSegmentSize is { } bytes && WalSegmentSize.IsValid(bytes))
                    return new WalSegmentSize(bytes);
                if (backups[i].StartLsn is { } start && SizeOf(name!, start) is { } told)
                    return told;
                return (await BackupMembers.ReadControlFileAsync(repository, name!, cancellationToken).ConfigureAwait(false)).WalSegmentSize;
            }
            catch (PgBackupException error) when (error.Id is "ObjectMissing" or "BackupDamaged" or "ControlFileInvalid")
            {
                failure ??= error;
            }
        }
        throw failure!;
    }

    /// <summary>
    /// The one segment size under which the segment in a backup's name holds its start: segment 6 begins at 0x6000000 with 16 MB and nowhere near with another size.
    /// Null for a segment 0, which every size has, and for a name that does not fit.
    /// </summary>
    internal static WalSegmentSize? SizeOf(BackupName name, Lsn start)
    {
        if (name.Segment.Segment == 0)
            return null;
        for (int bytes = 1 << 20; bytes <= 1 << 30 && bytes > 0; bytes <<= 1)
        {
            var size = new WalSegmentSize(bytes);
            if (WalSegmentName.Containing(name.Segment.Timeline, start, size) == name.Segment)
                return size;
        }
        return null;
    }
}
