using PgBackup.Platform;

namespace PgBackup.Restore.Fetching;

/// <summary>A member that is to be written.</summary>
internal sealed class MemberTarget(MemberWriter writer, string member, string relative, long size, UnixFileMode mode, FileTime modified, MemberUse use)
{
    /// <summary>The member's name in the tar.</summary>
    public string Member { get; } = member;

    /// <summary>Where it goes, relative to the data directory.</summary>
    public string Relative { get; } = relative;

    /// <summary>The bytes of its content in the tar.</summary>
    public long Size { get; } = size;

    /// <summary>Its permission bits.</summary>
    public UnixFileMode Mode { get; } = mode;

    /// <summary>Its modification time.</summary>
    public FileTime Modified { get; } = modified;

    /// <summary>Whole file or increment.</summary>
    public MemberUse Use { get; } = use;

    /// <summary>True for the control file and the labels, which no list of files counts.</summary>
    public bool IsSpecial { get; init; }

    /// <summary>What newer backups have brought of the file; null when this is the first that is met of it.</summary>
    public PageLedger? Ledger { get; init; }

    /// <summary>Increments of newer backups that wait for the file's base; null when there are none.</summary>
    public DeferredIncrement? Newer { get; init; }

    /// <summary>What those increments hold, when they are laid over this, the base.</summary>
    public FileOverlay? Overlay { get; set; }

    /// <summary>Writes the increments that wait, where this comes in a way in which nothing can be laid over it; returns what to go on with.</summary>
    public ValueTask<MemberTarget> SettleNewerAsync(CancellationToken cancellationToken) =>
        Newer is { } newer ? new ValueTask<MemberTarget>(writer.SettleNewerAsync(this, newer, cancellationToken)) : ValueTask.FromResult(this);

    /// <summary>Begins the file, or opens what newer backups have begun.</summary>
    public DestinationFile Open() => writer.Open(this);

    /// <summary>Where the file lies.</summary>
    public string Path => writer.PathOf(Relative);

    /// <summary>Writes a piece of the whole file where it belongs, but for what newer backups have settled.</summary>
    public void Write(DestinationFile file, ReadOnlySpan<byte> piece, long offset)
    {
        if (Ledger is null)
            file.Write(piece, offset);
        else
            Ledger.WriteOpen(file, piece, offset);
    }

    /// <summary>True when newer backups have settled these bytes of the whole file, so that they need not come; never so of an increment.</summary>
    public bool IsSettled(long from, long to) => Use == MemberUse.Whole && (Overlay?.Ledger ?? Ledger) is { } ledger && ledger.IsSettled(from, to);

    /// <summary>True when all of these bytes of the whole file still count.</summary>
    public bool IsOpen(long from, long to) => Use == MemberUse.Whole && (Ledger is null || Ledger.NextOpen(from, to) == (from, to));

    /// <summary>
    /// Takes the header of an increment: the newest one of a file fixes its size. Throws <see cref="InvalidDataException"/>, <c>BackupDamaged</c>.
    /// </summary>
    public IncrementPages BeginIncrement(DestinationFile file, IncrementHeader header)
    {
        if (Ledger is not null)
            return Ledger.Take(header);
        PageLedger ledger = writer.BeginLedger(this);
        file.SetLength(header.FileSize);
        return ledger.Take(header);
    }

    /// <summary>So many of its bytes came from the repository.</summary>
    public void Fetched(long bytes) => writer.Fetched(bytes);

    /// <summary>Notes that the content was written: with the whole file, the oldest piece, the file is complete.</summary>
    public void Finish(DestinationFile file)
    {
        if (Overlay is { } overlay)
        {
            file.SetLength(overlay.Ledger.FileSize);
            file.SetModified(overlay.Ledger.Modified);
        }
        else if (Use == MemberUse.Whole)
        {
            if (writer.InPlace)
                Ledger?.ClearUnbrought(file, Size);
            file.SetModified(Ledger?.Modified ?? Modified);
        }
        writer.Finish(this);
    }
}
