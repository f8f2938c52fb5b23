using System.Buffers;
using PgBackup.Codecs;
using PgBackup.Platform;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Backup.Packing;

/// <summary>A part of a few small members that are in memory: the control file, the labels.</summary>
internal static class SmallPart
{
    // -rw-------: what the server gives its files.
    private const int Permissions = 0x180;

    /// <summary>Makes the one frame of such a part.</summary>
    public static FrameJob Create(PartEncoder encoder, FileTime modified, params ReadOnlySpan<(string Name, ReadOnlyMemory<byte> Content)> members)
    {
        var job = new FrameJob { Plain = new FrameBuffer(ArrayPool<byte>.Shared, 64 << 10), EndsPart = true };
        FrameBuffer plain = job.Plain;
        foreach ((string name, ReadOnlyMemory<byte> content) in members)
        {
            TarHeader.WriteFile(plain, name, content.Length, Permissions, modified.Seconds);
            job.Packed.Add(new PackedMember(
                new IndexedMember(name, plain.Length, content.Length, Permissions, modified.ToNanoseconds(), MemberKind.File), modified, content.Length, null));
            plain.Write(content.Span);
            TarHeader.WriteZeros(plain, TarHeader.PaddingOf(content.Length));
        }
        TarHeader.WriteZeros(plain, TarHeader.TrailerLength);
        job.Encode(encoder, ArrayPool<byte>.Shared);
        return job;
    }
}
