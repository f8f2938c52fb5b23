using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Repository;

namespace PgBackup.Restore.Fetching;

/// <summary>
/// Decides what becomes of each tar member of one backup of the chain, and writes it: the rules of WAL-G's format for readers, whichever way the bytes come.
/// </summary>
internal sealed class MemberWriter(
    BackupRepository repository, BackupName backup, int level, bool isTarget, bool hasLabelPart, WantedFiles wanted, IncrementFrames frames, RestoreDestination destination,
    FetchProgress progress)
{
    private static readonly HashSet<string> s_labels = new(StringComparer.Ordinal) { "backup_label", "tablespace_map" };

    // What a cluster that starts anew must not find, though wal-g may have stored it.
    private static readonly HashSet<string> s_unwelcome = new(StringComparer.Ordinal)
    {
        "recovery.signal", "standby.signal", "postmaster.pid", "postmaster.opts", "current_logfiles", "backup_label.old", "tablespace_map.old",
        RestoreDestination.MarkerName, RestoreDestination.PendingControlFile, RestoreDestination.OldControlFile,
    };

    /// <summary>The backup whose members these are.</summary>
    public BackupName Backup => backup;

    /// <summary>A fault of the backup, to be thrown.</summary>
    public PgBackupException Damaged(string detail, Exception? inner = null) => PgErrors.BackupDamaged(repository.Location, backup.Text, detail, inner);

    /// <summary>Whether a member is to be written, or to be looked at.</summary>
    public bool IsWanted(string member) => wanted.UseOf(member, level) != MemberUse.None;

    /// <summary>The folder, where it is wanted.</summary>
    public void Folder(string member, UnixFileMode mode)
    {
        string relative = Normalize(member);
        if (wanted.UseOf(member, level) == MemberUse.None)
            return;
        wanted.Produced(member);
        if (destination.IsOfAnotherVersion(relative))
            return;
        // Links of tablespaces are ours to set.
        if (!relative.StartsWith("pg_tblspc/", StringComparison.Ordinal) || relative.IndexOf('/', "pg_tblspc/".Length) >= 0)
            destination.CreateFolder(relative, mode);
    }

    /// <summary>
    /// Where the content of a member goes; null when it is not wanted. <paramref name="fromSpecialPart"/> is true for the parts of control file and labels.
    /// </summary>
    public MemberTarget? Target(string member, long size, UnixFileMode mode, FileTime modified, bool fromSpecialPart)
    {
        string relative = Normalize(member);
        if (relative.Length == 0)
            throw Damaged($"the member '{member}' is a file in the place of the data directory.");
        bool isLabel = s_labels.Contains(relative);
        if (isLabel || relative == "global/pg_control")
        {
            wanted.Produced(member);
            return isTarget && (!isLabel || fromSpecialPart || !hasLabelPart)
                ? new MemberTarget(this, member, isLabel ? relative : RestoreDestination.PendingControlFile, size, mode, modified, MemberUse.Whole) { IsSpecial = true }
                : null;
        }
        MemberUse use = wanted.UseOf(member, level);
        if (use == MemberUse.None)
            return null;
        if (!s_unwelcome.Contains(relative) && !destination.IsOfAnotherVersion(relative))
            return new MemberTarget(this, member, relative, size, mode, modified, use) { Ledger = wanted.LedgerOf(member), Newer = wanted.DeferredOf(member) };
        wanted.Produced(member);
        return null;
    }

    /// <summary>A link: WAL-G stores none that could be followed, so it is left out, and said.</summary>
    public void Link(string member)
    {
        Normalize(member);
        wanted.Produced(member);
        progress.Warn($"'{member}' was a symbolic link in the source; the backup does not hold what it led to, and it was not restored.");
    }

    /// <summary>Whether files that are there are kept as far as they are right.</summary>
    public bool InPlace => destination.InPlace;

    /// <summary>True for what a restored cluster must not find.</summary>
    public static bool IsUnwelcome(string relative) => s_unwelcome.Contains(relative);

    /// <summary>Where a file of the destination lies.</summary>
    public string PathOf(string relative) => destination.PathOf(relative);

    /// <summary>So many bytes of files came from the repository.</summary>
    public void Fetched(long bytes) => progress.AddFetched(bytes);

    /// <summary>So many bytes of files were there already.</summary>
    public void Kept(long bytes) => progress.AddKept(bytes);

    /// <summary>The frames of increments that wait for their file's base.</summary>
    public IncrementFrames Frames => frames;

    /// <summary>Leaves an increment until its file's base comes.</summary>
    public void Defer(MemberTarget target, DeferredPart part, long offset)
    {
        wanted.SetDeferred(target.Member, new DeferredIncrement(part, target.Member, offset, target.Size, target.Mode, target.Modified, target.Newer));
        progress.AddFetched(target.Size);
        Finish(target);
    }

    internal async Task<MemberTarget> SettleNewerAsync(MemberTarget target, DeferredIncrement newer, CancellationToken cancellationToken)
    {
        FileOverlay overlay = await FileOverlay.LoadAsync(newer, target.Size, frames, cancellationToken).ConfigureAwait(false);
        using (DestinationFile file = destination.CreateFile(target.Relative, overlay.Mode))
            await overlay.WriteAloneAsync(file, cancellationToken).ConfigureAwait(false);
        wanted.SetDeferred(target.Member, null);
        return wanted.SetLedger(target.Member, overlay.Ledger)
            ? new MemberTarget(this, target.Member, target.Relative, target.Size, target.Mode, target.Modified, target.Use) { Ledger = overlay.Ledger }
            : throw Twice(target);
    }

    internal DestinationFile Open(MemberTarget target)
    {
        if (target.Overlay is { } overlay)
            return destination.CreateFile(target.Relative, overlay.Mode);
        if (target.Ledger is not null)
            return destination.OpenFile(target.Relative) ?? throw Damaged($"'{target.Member}' has gone while it was being restored.");
        if (!destination.InPlace || target.IsSpecial)
            return destination.CreateFile(target.Relative, target.Mode);
        // An increment's header says how long its file is.
        return destination.OpenInPlace(target.Relative, target.Mode, target.Use == MemberUse.Whole ? target.Size : null);
    }

    internal PageLedger BeginLedger(MemberTarget target)
    {
        var ledger = new PageLedger(target.Modified);
        return wanted.SetLedger(target.Member, ledger) ? ledger : throw Twice(target);
    }

    internal void Finish(MemberTarget target)
    {
        if (!target.IsSpecial && !wanted.Produced(target.Member))
            throw Twice(target);
        if (target.Overlay is not null)
            wanted.SetDeferred(target.Member, null);
        if (target is { Use: MemberUse.Whole, Ledger: not null })
            wanted.DropLedger(target.Member);
        progress.Add(target.Size);
    }

    private PgBackupException Twice(MemberTarget target) => Damaged($"its parts hold '{target.Member}' more than once.");

    private string Normalize(string member) =>
        MemberPath.Normalize(member) ?? throw PgErrors.MemberNameInvalid(repository.Location, backup.Text, member);
}
