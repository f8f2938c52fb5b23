using PgBackup.Postgres.Files;

namespace PgBackup.Backup.Reading;

/// <summary>What is noted of a file's pages while they are read.</summary>
internal sealed class PageNotes
{
    /// <summary>The damaged ones.</summary>
    public BlockSet Corrupt { get; } = new();

    /// <summary>
    /// Those that were added to the file and never used, so that the next delta can tell them from pages that have become empty since.
    /// </summary>
    public BlockSet Empty { get; } = new();

    /// <summary>Notes the empty ones among pages of a relation's main fork, read from <paramref name="fileOffset"/> on.</summary>
    public void NoteEmpty(ReadOnlySpan<byte> pages, long fileOffset)
    {
        for (int at = 0; at + PageHeader.DefaultPageSize <= pages.Length; at += PageHeader.DefaultPageSize)
        {
            var header = new PageHeader(pages.Slice(at, PageHeader.DefaultPageSize));
            if (header.IsNew && header.IsAllZero)
                Empty.Add((uint)((fileOffset + at) / PageHeader.DefaultPageSize));
        }
    }
}
