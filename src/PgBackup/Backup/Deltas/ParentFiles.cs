using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using PgBackup.Backup.Reading;
using PgBackup.Platform;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Backup.Deltas;

/// <summary>What a parent knows of one of its files.</summary>
/// <param name="Modified">Its modification time, to the resolution that its writer had.</param>
/// <param name="Size">Its bytes; -1 when the writer did not say (wal-g does not).</param>
/// <param name="EmptyBlocks">Its pages that were never used; null when there were none, or the writer did not say.</param>
/// <param name="AllVisible">Its pages that are marked all-visible in what the chain has of it; null when that is not known.</param>
internal readonly record struct ParentFile(FileTime Modified, long Size, BlockRanges? EmptyBlocks = null, BlockBitmap? AllVisible = null)
{
    public bool HasSize => Size >= 0;

    /// <summary>How many pages it has; <paramref name="unknown"/> when its size is not known.</summary>
    public long PagesOr(long unknown) => HasSize ? Size / PageHeader.DefaultPageSize : unknown;

    /// <summary>All that is known of its pages.</summary>
    public NotedPages Pages => new(EmptyBlocks, AllVisible);

    /// <summary>Notes what its pages are, but for those that have changed.</summary>
    /// <param name="changed">The numbers of the changed pages, ascending.</param>
    /// <param name="notes">Where they are noted.</param>
    public void NoteBeside(uint[] changed, PageNotes notes)
    {
        if (notes.AllVisible is { } visible)
        {
            byte[] bits = AllVisible?.ToBits() ?? [];
            for (uint block = 0; block < 8 * bits.Length; block++)
            {
                if (BlockBitmap.IsSet(bits, block) && Array.BinarySearch(changed, block) < 0)
                    visible.Add(block);
            }
        }
        foreach (uint block in EmptyBlocks?.Blocks() ?? [])
        {
            if (Array.BinarySearch(changed, block) < 0)
                notes.Empty.Add(block);
        }
    }
}

/// <summary>
/// The files that a parent lists. Only of those may a delta store less than the whole: a restore looks for the rest under the same name. A name is kept as its
/// 128-bit hash: a million files take some 60 MB.
/// </summary>
internal sealed class ParentFiles
{
    // The largest that a server can be built with cuts relations into; 1 GB is usual.
    private const long LargestFile = 1L << 36;

    private readonly Dictionary<UInt128, ParentFile> _files = [];

    public int Count => _files.Count;

    public void Add(FileMetadata file)
    {
        // A time that cannot be read is one that no file has.
        FileTime modified = FileTime.TryParse(file.Modified, out FileTime time) ? time : new FileTime(long.MinValue, 0);
        // Pages beyond the file's end are nobody's, however they came into the list.
        BlockRanges? empty = file.Size is { } size && size <= LargestFile && file.EmptyBlocks?.End <= (ulong)size / PageHeader.DefaultPageSize ? file.EmptyBlocks : null;
        _files[MemberPath.HashOf(file.Name)] = new ParentFile(modified, file.Size ?? -1, empty, VisibleIn(file));
    }

    // Of a file that is there whole the content tells: what is not said was not marked, or its mark is found by the next scan.
    private static BlockBitmap? VisibleIn(FileMetadata file) => file.AllVisibleBlocks is { } text ? BlockBitmap.TryParse(text) : file.IsIncremented || file.IsSkipped ? null : BlockBitmap.None;

    /// <summary>What the parent knows of a member; null when it does not have it.</summary>
    public ParentFile? Find(string member)
    {
        ref ParentFile file = ref CollectionsMarshal.GetValueRefOrNullRef(_files, MemberPath.HashOf(member));
        return Unsafe.IsNullRef(ref file) ? null : file;
    }
}
