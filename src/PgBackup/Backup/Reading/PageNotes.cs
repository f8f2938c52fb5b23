using PgBackup.Postgres.Files;

namespace PgBackup.Backup.Reading;

/// <summary>What is noted of a file's pages while they are read.</summary>
/// <param name="notesVisible">Whether <see cref="AllVisible"/> is kept: in clusters without data checksums.</param>
internal sealed class PageNotes(bool notesVisible)
{
    /// <summary>The damaged ones.</summary>
    public BlockSet Corrupt { get; } = new();

    /// <summary>
    /// Those that were added to the file and never used, so that the next delta can tell them from pages that have become empty since.
    /// </summary>
    public BlockSet Empty { get; } = new();

    /// <summary>
    /// Those that are marked all-visible, as the backup has them, by itself or by its parents; null where that is not kept. Without data checksums the mark is set without moving the page's LSN
    /// (visibilitymap.c, "visibilitymap_set"): the next delta finds by this what was marked since.
    /// </summary>
    public BlockBits? AllVisible { get; } = notesVisible ? new() : null;

    /// <summary>Notes what pages of a relation's main fork are, read from <paramref name="fileOffset"/> on.</summary>
    public void Note(ReadOnlySpan<byte> pages, long fileOffset)
    {
        for (int at = 0; at + PageHeader.DefaultPageSize <= pages.Length; at += PageHeader.DefaultPageSize)
        {
            var header = new PageHeader(pages.Slice(at, PageHeader.DefaultPageSize));
            if (!header.IsNew && !header.IsAllVisible)
                continue;
            uint block = (uint)((fileOffset + at) / PageHeader.DefaultPageSize);
            if (header.IsAllVisible)
                AllVisible?.Add(block);
            else if (header.IsAllZero)
                Empty.Add(block);
        }
    }

    /// <summary>What the notes say when nothing of the file is stored.</summary>
    public NotedPages ToNoted() => new(Repository.Documents.BlockRanges.Of(Empty.ToArray()), AllVisible?.ToBitmap());
}
