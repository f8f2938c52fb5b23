using System.Buffers;
using System.IO.Hashing;
using Microsoft.Win32.SafeHandles;
using PgBackup.Platform;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Restore.Fetching;

/// <summary>
/// Tells which frames of a part the files in place already make up: the tar is built again from them, as it was when the backup was taken (headers follow from what the index
/// says), and its checksum compared with the index's. Right are the bytes, whatever sizes and times say.
/// </summary>
internal static class LocalFrames
{
    /// <summary>Finds the frames, of those that are wanted, that need not be fetched.</summary>
    public static bool[] Find(OpenPart part, int workers, CancellationToken cancellationToken)
    {
        bool[] found = new bool[part.Frames.Count];
        var options = new ParallelOptions { MaxDegreeOfParallelism = workers, CancellationToken = cancellationToken };
        Parallel.For(0, found.Length, options, static () => new AlignedBuffer(), (frame, _, plain) =>
        {
            found[frame] = part.IsWanted(frame) && Holds(part, frame, plain);
            return plain;
        }, static plain => plain.Dispose());
        return found;
    }

    private static bool Holds(OpenPart part, int frame, AlignedBuffer buffer)
    {
        Span<byte> plain = buffer.Span(part.Frames[frame].PlainLength);
        if (!TryBuild(part, part.Starts[frame], plain))
            return false;
        Span<byte> hash = stackalloc byte[16];
        XxHash128.Hash(plain, hash);
        return string.Equals(Convert.ToHexStringLower(hash), part.Frames[frame].Hash, StringComparison.Ordinal);
    }

    private static bool TryBuild(OpenPart part, long start, Span<byte> plain)
    {
        plain.Clear();
        long end = start + plain.Length;
        var header = new ArrayBufferWriter<byte>(2 * TarHeader.BlockSize);
        for (int i = part.FirstMemberEndingAfter(start); i < part.Members.Count; i++)
        {
            IndexedMember member = part.Members[i];
            // Between the contents of two members lie the padding of the one, which is zero, and the header of the other.
            header.ResetWrittenCount();
            WriteHeader(header, member);
            long headerStart = member.Offset - header.WrittenCount;
            if (headerStart >= end)
                break;
            if (headerStart != part.EndOfMember(i - 1))
                return false; // Not as our writer lays it out.
            Copy(header.WrittenSpan, headerStart, plain, start);
            long from = Math.Max(start, member.Offset), to = Math.Min(end, member.Offset + member.Size);
            if (from < to && !TryRead(part.TargetOf(i), from - member.Offset, plain[(int)(from - start)..(int)(to - start)]))
                return false;
        }
        return true;
    }

    private static void WriteHeader(ArrayBufferWriter<byte> header, IndexedMember member)
    {
        long seconds = FileTime.FromNanoseconds(member.Modified).Seconds;
        if (member.Kind == MemberKind.Directory)
            TarHeader.WriteDirectory(header, member.Name, member.Mode, seconds);
        else
            TarHeader.WriteFile(header, member.Name, member.Size, member.Mode, seconds);
    }

    private static void Copy(ReadOnlySpan<byte> source, long at, Span<byte> plain, long start)
    {
        long from = Math.Max(at, start), to = Math.Min(at + source.Length, start + plain.Length);
        if (from < to)
            source[(int)(from - at)..(int)(to - at)].CopyTo(plain[(int)(from - start)..]);
    }

    private static bool TryRead(MemberTarget? target, long offset, Span<byte> destination)
    {
        // A file that is not wanted from here is another one by now; of an increment, or of a file that newer backups have changed, nothing can be told.
        if (target is null || !target.IsOpen(offset, offset + destination.Length))
            return false;
        try
        {
            using SafeFileHandle file = File.OpenHandle(target.Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, FileOptions.SequentialScan);
            int done = 0;
            while (done < destination.Length)
            {
                int read = RandomAccess.Read(file, destination[done..], offset + done);
                if (read == 0)
                    return false;
                done += read;
            }
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false; // Not there, or a disk that does not give it back: what cannot be read is not right. Writing it will tell.
        }
    }
}
