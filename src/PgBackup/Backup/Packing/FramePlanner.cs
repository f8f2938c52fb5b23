using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;
using PgBackup.Backup.Reading;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Backup.Packing;

/// <summary>
/// Cuts the stream of members into frames and parts: small neighbours share a frame, a big file has frames of its own, so that either can be
/// read back alone. A part ends between members.
/// </summary>
internal sealed class FramePlanner
{
    /// <summary>The plain bytes of a full frame; memory in use is a small multiple of it for each core.</summary>
    public const int FrameSize = 4 << 20;

    /// <summary>From this size on a member has frames of its own.</summary>
    public const int BigFileFrom = 1 << 20;

    /// <summary>The members of a part; its index is held in memory while it is read or written.</summary>
    public const int MembersPerPart = 20_000;

    /// <summary>The skipped files that wait in memory until a frame is done.</summary>
    public const int SkippedPerFrame = 4096;

    private readonly long _partSize;
    private readonly bool _notesVisible;
    private readonly IOperationLog _log;

    /// <param name="partSize">The plain bytes after which a part is closed.</param>
    /// <param name="notesVisible">Whether it is noted which pages are marked all-visible.</param>
    /// <param name="log">Where files that vanished are told.</param>
    public FramePlanner(long partSize, bool notesVisible, IOperationLog log)
    {
        _notesVisible = notesVisible;
        _partSize = partSize;
        _log = log;
    }

    /// <summary>The plain bytes of a repository's parts: wal-g's WALG_TAR_SIZE_THRESHOLD; less of encrypted ones, which can only be read from their start.</summary>
    public static long PartSizeOf(BackupRepository repository) => repository.Key is null ? (1L << 30) - 1 : 128L << 20;

    public async IAsyncEnumerable<FrameJob> PlanAsync(
        IAsyncEnumerable<SelectedMember> members, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var frame = new FrameJob();
        long frameBytes = 0, partBytes = 0;
        int partMembers = 0;
        await foreach (SelectedMember member in members.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            DataDirectoryEntry entry = member.Entry;
            if (member.Form == MemberForm.Skipped)
            {
                frame.Skipped.Add(Skipped(entry, member.Known));
                frame.SettledBytes += entry.Facts.Size;
                if (frame.Skipped.Count < SkippedPerFrame)
                    continue;
                yield return frame;
                (frame, frameBytes) = (new FrameJob(), 0);
                continue;
            }
            if (partBytes >= _partSize || partMembers >= MembersPerPart)
            {
                frame.EndsPart = true;
                yield return frame;
                (frame, frameBytes, partBytes, partMembers) = (new FrameJob(), 0, 0, 0);
            }

            partMembers++;
            long length = entry.IsDirectory ? 0 : member.Increment?.Length ?? entry.Facts.Size;
            if (length < BigFileFrom)
            {
                long cost = TarHeader.BlockSize + length;
                if (frameBytes + cost > FrameSize)
                {
                    yield return frame;
                    (frame, frameBytes) = (new FrameJob(), 0);
                }
                frame.Members.Add(member);
                frame.PlannedBytes += length;
                frame.SettledBytes += entry.IsDirectory ? 0 : entry.Facts.Size;
                frameBytes += cost;
                partBytes += cost;
                continue;
            }

            // Held here until its last frame is planned: a worker may be done with one before the next is.
            using BigFile? file = TryOpen(member);
            if (file is null)
                continue;
            file.AddUser();
            frame.HeaderOf = file;
            yield return frame;
            for (long offset = file.LengthBesideHeader; offset < file.ContentLength; offset += FrameSize)
            {
                file.AddUser();
                int piece = (int)Math.Min(FrameSize, file.ContentLength - offset);
                bool isLast = offset + piece == file.ContentLength;
                yield return new FrameJob
                {
                    PieceOf = file,
                    PieceOffset = offset,
                    PieceLength = piece,
                    PlannedBytes = piece,
                    SettledBytes = file.Increment is null ? piece : isLast ? file.Facts.Size : 0,
                };
            }
            partBytes += file.ContentLength;
            (frame, frameBytes) = (new FrameJob(), 0);
        }
        frame.EndsPart = true;
        yield return frame;
    }

    private static PackedMember Skipped(DataDirectoryEntry entry, NotedPages? known) => new(
        new IndexedMember(entry.MemberName, 0, 0, (int)entry.Facts.Permissions, entry.Facts.Modified.ToNanoseconds(), MemberKind.File),
        entry.Facts.Modified, entry.Facts.Size, null, IsSkipped: true, known);

    private BigFile? TryOpen(SelectedMember member)
    {
        DataDirectoryEntry entry = member.Entry;
        SafeFileHandle? handle = DataFile.TryOpen(entry.Path);
        if (handle is null)
        {
            _log.Verbose($"'{entry.Path}' vanished before it was read.");
            return null;
        }
        return new BigFile(entry, handle, member.Increment?.Facts ?? DataFile.FactsOf(handle, entry.Path), member.Increment, _notesVisible);
    }
}
