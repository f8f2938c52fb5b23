using Microsoft.Win32.SafeHandles;
using PgBackup.Backup.Reading;
using PgBackup.Errors;
using PgBackup.Platform;

namespace PgBackup.Backup.Packing;

/// <summary>
/// Cuts the stream of members into frames and parts: small neighbours share a frame, a big file has frames of its own, so that either can be
/// read back alone. A part ends between members.
/// </summary>
internal sealed class FramePlanner
{
    /// <summary>The plain bytes of a full frame; memory in use is a small multiple of it for each core.</summary>
    public const int FrameSize = 4 << 20;

    // From this size on a file has frames of its own.
    private const int BigFileFrom = 1 << 20;

    // The index of one part is held in memory while it is read or written.
    private const int MembersPerPart = 20_000;

    private readonly long _partSize;
    private readonly IOperationLog _log;

    /// <param name="partSize">The plain bytes after which a part is closed.</param>
    /// <param name="log">Where files that vanished are told.</param>
    public FramePlanner(long partSize, IOperationLog log)
    {
        _partSize = partSize;
        _log = log;
    }

    public IEnumerable<FrameJob> Plan(IEnumerable<DataDirectoryEntry> entries)
    {
        var frame = new FrameJob();
        long frameBytes = 0, partBytes = 0;
        int partMembers = 0;
        foreach (DataDirectoryEntry entry in entries)
        {
            if (partBytes >= _partSize || partMembers >= MembersPerPart)
            {
                frame.EndsPart = true;
                yield return frame;
                (frame, frameBytes, partBytes, partMembers) = (new FrameJob(), 0, 0, 0);
            }

            partMembers++;
            if (entry.IsDirectory || entry.Facts.Size < BigFileFrom)
            {
                long cost = TarHeader.BlockSize + (entry.IsDirectory ? 0 : entry.Facts.Size);
                if (frameBytes + cost > FrameSize)
                {
                    yield return frame;
                    (frame, frameBytes) = (new FrameJob(), 0);
                }
                frame.Members.Add(entry);
                frame.PlannedBytes += entry.IsDirectory ? 0 : entry.Facts.Size;
                frameBytes += cost;
                partBytes += cost;
                continue;
            }

            if (TryOpen(entry) is not { } file)
                continue;
            frame.HeaderOf = file;
            yield return frame;
            for (long offset = 0; offset < file.Facts.Size; offset += FrameSize)
            {
                file.AddUser();
                int length = (int)Math.Min(FrameSize, file.Facts.Size - offset);
                yield return new FrameJob { PieceOf = file, PieceOffset = offset, PieceLength = length, PlannedBytes = length };
            }
            partBytes += file.Facts.Size;
            (frame, frameBytes) = (new FrameJob(), 0);
        }
        frame.EndsPart = true;
        yield return frame;
    }

    private BigFile? TryOpen(DataDirectoryEntry entry)
    {
        SafeFileHandle? handle = DataFile.TryOpen(entry.Path);
        if (handle is null)
        {
            _log.Verbose($"'{entry.Path}' vanished before it was read.");
            return null;
        }
        return new BigFile(entry, handle, DataFile.FactsOf(handle, entry.Path));
    }
}
