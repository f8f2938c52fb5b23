using PgBackup.Errors;
using PgBackup.Repository;

namespace PgBackup.Restore.Fetching;

/// <summary>
/// Decides what becomes of each tar member of one backup of the chain, and writes it: the rules of WAL-G's format for readers, whichever way the bytes come.
/// </summary>
internal sealed class MemberWriter(
    BackupRepository repository, BackupName backup, int level, bool isTarget, bool hasLabelPart, WantedFiles wanted, RestoreDestination destination, FetchProgress progress)
{
    private static readonly HashSet<string> s_labels = new(StringComparer.Ordinal) { "backup_label", "tablespace_map" };

    // What a cluster that starts anew must not find, though wal-g may have stored it.
    private static readonly HashSet<string> s_unwelcome = new(StringComparer.Ordinal)
    {
        "recovery.signal", "standby.signal", "postmaster.pid", "postmaster.opts", "current_logfiles", "backup_label.old", "tablespace_map.old",
        RestoreDestination.MarkerName, RestoreDestination.PendingControlFile,
    };

    /// <summary>The backup whose members these are.</summary>
    public BackupName Backup => backup;

    /// <summary>A fault of the backup, to be thrown.</summary>
    public PgBackupException Damaged(string detail, Exception? inner = null) => PgErrors.BackupDamaged(repository.Location, backup.Text, detail, inner);

    /// <summary>The folder, where it is wanted.</summary>
    public void Folder(string member, UnixFileMode mode)
    {
        string relative = Normalize(member);
        if (wanted.UseOf(member, level) == MemberUse.None)
            return;
        wanted.Produced(member);
        // Links of tablespaces are ours to set.
        if (!relative.StartsWith("pg_tblspc/", StringComparison.Ordinal) || relative.IndexOf('/', "pg_tblspc/".Length) >= 0)
            destination.CreateFolder(relative, mode);
    }

    /// <summary>
    /// Where the content of a member goes; null when it is not wanted. <paramref name="fromSpecialPart"/> is true for the parts of control file and labels.
    /// </summary>
    public MemberTarget? Target(string member, long size, UnixFileMode mode, bool fromSpecialPart)
    {
        string relative = Normalize(member);
        if (relative.Length == 0)
            throw Damaged($"the member '{member}' is a file in the place of the data directory.");
        if (relative == "global/pg_control")
        {
            wanted.Produced(member);
            return isTarget ? new MemberTarget(this, member, RestoreDestination.PendingControlFile, size, mode, MemberUse.Whole) : null;
        }
        if (s_labels.Contains(relative))
        {
            wanted.Produced(member);
            return isTarget && (fromSpecialPart || !hasLabelPart) ? new MemberTarget(this, member, relative, size, mode, MemberUse.Whole) : null;
        }
        MemberUse use = wanted.UseOf(member, level);
        if (use == MemberUse.None)
            return null;
        if (!s_unwelcome.Contains(relative))
            return new MemberTarget(this, member, relative, size, mode, use);
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

    internal DestinationFile Open(MemberTarget target) => target.Use == MemberUse.Whole
        ? destination.CreateFile(target.Relative, target.Mode)
        : destination.OpenFile(target.Relative)
            ?? throw PgErrors.ChainBroken(repository.Location, backup.Text, $"it holds an increment of '{target.Member}', of which its parents hold no base.");

    internal void Written(MemberTarget target)
    {
        if (target.Use != MemberUse.None && target.Relative != RestoreDestination.PendingControlFile && !s_labels.Contains(target.Relative) && !wanted.Produced(target.Member))
            throw Damaged($"its parts hold '{target.Member}' more than once.");
        progress.Add(target.Size);
    }

    private string Normalize(string member) =>
        MemberPath.Normalize(member) ?? throw PgErrors.MemberNameInvalid(repository.Location, backup.Text, member);
}

/// <summary>A member that is to be written.</summary>
internal sealed class MemberTarget(MemberWriter writer, string member, string relative, long size, UnixFileMode mode, MemberUse use)
{
    /// <summary>The member's name in the tar.</summary>
    public string Member { get; } = member;

    /// <summary>Where it goes, relative to the data directory.</summary>
    public string Relative { get; } = relative;

    /// <summary>The bytes of its content in the tar.</summary>
    public long Size { get; } = size;

    /// <summary>Its permission bits.</summary>
    public UnixFileMode Mode { get; } = mode;

    /// <summary>Whole file or increment.</summary>
    public MemberUse Use { get; } = use;

    /// <summary>Creates the file, or opens that which the increment goes onto.</summary>
    public DestinationFile Open() => writer.Open(this);

    /// <summary>Notes that the content was written.</summary>
    public void Written() => writer.Written(this);
}
