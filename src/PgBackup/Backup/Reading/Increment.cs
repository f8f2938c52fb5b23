using System.Buffers;
using System.Buffers.Binary;
using PgBackup.Platform;
using PgBackup.Postgres.Files;

namespace PgBackup.Backup.Reading;

/// <summary>
/// The pages of a relation's file that changed since the parent, in WAL-G's form ("wi1U", pagefile.go): magic, the file's size, how many pages, their
/// numbers in ascending order, the pages.
/// </summary>
internal sealed class Increment
{
    private const int FixedHeader = 16;

    /// <param name="facts">The file's facts, its size above all, when the pages were chosen.</param>
    /// <param name="blocks">The numbers of the pages within the file, ascending, all of them within its size.</param>
    /// <param name="notes">What was noted of the pages that are not packed; goes on when they are.</param>
    public Increment(FileFacts facts, uint[] blocks, PageNotes notes)
    {
        Facts = facts;
        Blocks = blocks;
        Notes = notes;
    }

    /// <summary>The file's facts; its size is the one that a restore gives it.</summary>
    public FileFacts Facts { get; }

    /// <summary>The pages' numbers within the file, ascending.</summary>
    public uint[] Blocks { get; }

    /// <summary>What was noted of the pages.</summary>
    public PageNotes Notes { get; }

    /// <summary>The bytes before the first page.</summary>
    public int HeaderLength => FixedHeader + (4 * Blocks.Length);

    /// <summary>The bytes of the whole increment.</summary>
    public long Length => HeaderLength + ((long)Blocks.Length * PageHeader.DefaultPageSize);

    /// <summary>Appends everything that stands before the first page.</summary>
    public void WriteHeader(IBufferWriter<byte> output)
    {
        Span<byte> header = output.GetSpan(HeaderLength)[..HeaderLength];
        "wi1U"u8.CopyTo(header);
        BinaryPrimitives.WriteUInt64LittleEndian(header[4..], (ulong)Facts.Size);
        BinaryPrimitives.WriteUInt32LittleEndian(header[12..], (uint)Blocks.Length);
        for (int i = 0; i < Blocks.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(header[(FixedHeader + (4 * i))..], Blocks[i]);
        output.Advance(HeaderLength);
    }
}
