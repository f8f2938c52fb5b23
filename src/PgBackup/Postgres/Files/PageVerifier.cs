namespace PgBackup.Postgres.Files;

/// <summary>What a page that was read during a backup looks like.</summary>
public enum PageVerdict
{
    /// <summary>The checksum fits, or the cluster has none and nothing else speaks against the page.</summary>
    Valid,

    /// <summary>All zero: added to the file and not used yet.</summary>
    New,

    /// <summary>
    /// The checksum does not fit, but the page was changed after the backup's start (read half-written: recovery replays a full image of it),
    /// or its changes are not logged at all (LSN 0/0). No damage can be proven.
    /// </summary>
    BeingWritten,

    /// <summary>The checksum does not fit and no WAL of this backup will replace the page: damaged.</summary>
    ChecksumMismatch,

    /// <summary>Marked as never used, but not all zero: damaged.</summary>
    NewButNotZero,

    /// <summary>The LSN lies beyond the end of the WAL: damaged, unless the server has written on since that end was asked.</summary>
    BeyondWalEnd,
}

/// <summary>
/// Tells damaged pages from pages that a running server was writing. The rule is pg_basebackup's and pgBackRest's, with two more: an LSN
/// that WAL has not reached is damage, and so is a page that claims to be new and is not zero. A page that looks damaged is to be read
/// again before it is reported: a page is not read in one piece.
/// </summary>
public sealed class PageVerifier
{
    private readonly bool _hasChecksums;
    private readonly Lsn _backupStart;

    /// <summary>For one backup.</summary>
    /// <param name="hasChecksums">Whether the cluster has data checksums (<see cref="ControlFile.HasDataChecksums"/>).</param>
    /// <param name="backupStart">The LSN that pg_backup_start returned.</param>
    public PageVerifier(bool hasChecksums, Lsn backupStart)
    {
        _hasChecksums = hasChecksums;
        _backupStart = backupStart;
    }

    /// <summary>Judges one page.</summary>
    /// <param name="page">The whole page.</param>
    /// <param name="blockNumber">Its number in the relation's fork: file number × 131072 + number in the file.</param>
    /// <param name="walEnd">
    /// The end of the server's WAL (pg_current_wal_insert_lsn, on a standby pg_last_wal_receive_lsn or replay, whichever is later). For
    /// <see cref="PageVerdict.BeyondWalEnd"/> to prove damage it must have been asked after the page was read.
    /// </param>
    public PageVerdict Verify(ReadOnlySpan<byte> page, uint blockNumber, Lsn walEnd)
    {
        var header = new PageHeader(page);
        if (header.IsNew)
            return header.IsAllZero ? PageVerdict.New : PageVerdict.NewButNotZero;
        Lsn lsn = header.Lsn;
        if (lsn > walEnd)
            return PageVerdict.BeyondWalEnd;
        if (!_hasChecksums || PageChecksum.Compute(page, blockNumber) == header.Checksum)
            return PageVerdict.Valid;
        return lsn.IsZero || lsn > _backupStart ? PageVerdict.BeingWritten : PageVerdict.ChecksumMismatch;
    }

    /// <summary>True for the verdicts that mean damage if they stay after another look at the page.</summary>
    public static bool IsDamage(PageVerdict verdict) =>
        verdict is PageVerdict.ChecksumMismatch or PageVerdict.NewButNotZero or PageVerdict.BeyondWalEnd;
}
