using System.Buffers;
using Microsoft.Win32.SafeHandles;
using PgBackup.Backup.Reading;
using PgBackup.Platform;
using PgBackup.Postgres.Files;
using PgBackup.Repository.Documents;

namespace PgBackup.Backup.Deltas;

/// <summary>
/// Reads a relation's file and chooses the pages that changed since the parent by their LSNs: those at or after the parent's start, new ones, and all that the file has
/// gained. WAL-G's rule (pagefile.go), but for pages that were empty before and still are: those the parent has. In a cluster without data checksums also those that have been marked all-visible
/// since: the mark does not move the LSN, and a visibility map that knows more than its table, which also comes back by replay as a full-page image, makes index-only scans return
/// deleted rows.
/// </summary>
/// <param name="parentStart">The parent's start LSN.</param>
/// <param name="inspector">Verifies the pages that are read; null when the cluster has no checksums.</param>
/// <param name="rate">Bounds the bytes read a second.</param>
/// <param name="hasChecksums">Whether the cluster has data checksums.</param>
internal sealed class PageScan(Lsn parentStart, PageInspector? inspector, RateLimiter rate, bool hasChecksums)
{
    private const int PageSize = PageHeader.DefaultPageSize;
    private const int ReadSize = 128 * PageSize;

    /// <summary>
    /// The increment; null when the file has to be stored whole: a page is none, or one that the parent had in use is empty now. That one wal-g would restore (with
    /// --reverse-unpack) from the parent.
    /// </summary>
    /// <param name="entry">The file.</param>
    /// <param name="handle">The open file.</param>
    /// <param name="facts">Its facts since it is open.</param>
    /// <param name="parent">What the parent knows of it.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task<Increment?> ScanAsync(DataDirectoryEntry entry, SafeFileHandle handle, FileFacts facts, ParentFile parent, CancellationToken cancellationToken)
    {
        var notes = new PageNotes(notesVisible: !hasChecksums);
        byte[] visible = VisibleIn(parent);
        var changed = new List<uint>();
        byte[] buffer = ArrayPool<byte>.Shared.Rent(ReadSize);
        try
        {
            for (long offset = 0; offset < facts.Size; offset += ReadSize)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int length = (int)Math.Min(ReadSize, facts.Size - offset);
                await rate.WaitAsync(length, cancellationToken).ConfigureAwait(false);
                DataFile.Read(handle, entry.Path, offset, buffer.AsSpan(0, length));
                if (inspector is not null)
                    await inspector.InspectAsync(buffer.AsMemory(0, length), offset, entry.MemberName, handle, entry.Path, notes.Corrupt, cancellationToken).ConfigureAwait(false);
                if (!Choose(buffer.AsSpan(0, length), (uint)(offset / PageSize), parent, visible, changed, notes))
                    return null;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
        return new Increment(facts, [.. changed], notes);
    }

    /// <summary>The pages that the parent has with their mark, for <see cref="Choose"/>.</summary>
    public byte[] VisibleIn(ParentFile parent) => hasChecksums ? [] : parent.AllVisible?.ToBits() ?? [];

    /// <summary>
    /// Chooses among pages that follow one another; false when the file has to be stored whole.
    /// </summary>
    /// <param name="pages">Whole pages.</param>
    /// <param name="firstBlock">The number of the first in its file.</param>
    /// <param name="parent">What the parent knows of the file.</param>
    /// <param name="visible">What <see cref="VisibleIn"/> says of it.</param>
    /// <param name="changed">Where the numbers are added.</param>
    /// <param name="notes">Where pages that the parent has are noted.</param>
    public bool Choose(ReadOnlySpan<byte> pages, uint firstBlock, ParentFile parent, ReadOnlySpan<byte> visible, List<uint> changed, PageNotes notes)
    {
        long parentPages = parent.PagesOr(long.MaxValue);
        for (int at = 0; at < pages.Length; at += PageSize)
        {
            uint block = firstBlock + (uint)(at / PageSize);
            var header = new PageHeader(pages.Slice(at, PageSize));
            if (header.IsNew)
            {
                if (!header.IsAllZero)
                    return false;
                if (block >= parentPages)
                    changed.Add(block);
                else if (parent.EmptyBlocks?.Contains(block) == true)
                    notes.Empty.Add(block);
                else
                    return false;
            }
            else if (!header.IsValid)
            {
                return false;
            }
            else if (header.Lsn >= parentStart || block >= parentPages)
            {
                changed.Add(block);
            }
            else if (!hasChecksums && header.IsAllVisible)
            {
                if (BlockBitmap.IsSet(visible, block))
                    notes.AllVisible!.Add(block);
                else
                    changed.Add(block);
            }
        }
        return true;
    }
}
