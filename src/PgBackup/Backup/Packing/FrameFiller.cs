using System.Buffers;
using Microsoft.Win32.SafeHandles;
using PgBackup.Backup.Reading;
using PgBackup.Codecs;
using PgBackup.Platform;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Backup.Packing;

/// <summary>Reads, verifies, hashes and compresses one frame; run by as many workers as there are cores.</summary>
internal sealed class FrameFiller
{
    // A relation's file is at most 1 GB; a file that was small when listed and is larger than this now is cut: replay brings the rest.
    private const long GrowthLimit = 64 << 20;

    // Not the shared pool: that keeps a buffer for each thread that ever gave one back, and frames are filled and given back by many.
    private readonly ArrayPool<byte> _pool = ArrayPool<byte>.Create(16 << 20, 64);
    private readonly PartEncoder _encoder;
    private readonly PageInspector? _inspector;
    private readonly RateLimiter _rate;
    private readonly bool _notesVisible;
    private readonly IOperationLog _log;

    /// <param name="encoder">Compresses the frame.</param>
    /// <param name="inspector">Verifies pages; null when the cluster has no checksums.</param>
    /// <param name="rate">Bounds the bytes read a second.</param>
    /// <param name="notesVisible">Whether it is noted which pages are marked all-visible.</param>
    /// <param name="log">Where files that vanished are told.</param>
    public FrameFiller(PartEncoder encoder, PageInspector? inspector, RateLimiter rate, bool notesVisible, IOperationLog log)
    {
        _notesVisible = notesVisible;
        _encoder = encoder;
        _inspector = inspector;
        _rate = rate;
        _log = log;
    }

    public async Task FillAsync(FrameJob job, CancellationToken cancellationToken)
    {
        await _rate.WaitAsync(job.PlannedBytes, cancellationToken).ConfigureAwait(false);
        var plain = new FrameBuffer(_pool, FramePlanner.FrameSize + (64 << 10));
        job.Plain = plain;
        foreach (SelectedMember member in job.Members)
        {
            if (member.Entry.IsDirectory)
                AppendDirectory(job, plain, member.Entry);
            else if (member.Increment is { } increment)
                await AppendIncrementAsync(job, plain, member.Entry, increment, cancellationToken).ConfigureAwait(false);
            else
                await AppendFileAsync(job, plain, member.Entry, cancellationToken).ConfigureAwait(false);
        }
        if (job.PieceOf is { } file)
            await AppendPieceAsync(job, plain, file, cancellationToken).ConfigureAwait(false);
        if (job.HeaderOf is { } next)
            AppendHeaderOf(job, plain, next);
        if (job.EndsPart)
            TarHeader.WriteZeros(plain, TarHeader.TrailerLength);
        job.Encode(_encoder, _pool);
    }

    private static void AppendDirectory(FrameJob job, FrameBuffer plain, DataDirectoryEntry entry)
    {
        int permissions = (int)entry.Facts.Permissions;
        TarHeader.WriteDirectory(plain, entry.MemberName, permissions, entry.Facts.Modified.Seconds);
        job.Packed.Add(Packed(entry.MemberName, plain.Length, 0, entry.Facts, MemberKind.Directory, null));
    }

    private async Task AppendFileAsync(FrameJob job, FrameBuffer plain, DataDirectoryEntry entry, CancellationToken cancellationToken)
    {
        using SafeFileHandle? handle = DataFile.TryOpen(entry.Path);
        if (handle is null)
        {
            _log.Verbose($"'{entry.Path}' vanished before it was read.");
            return;
        }
        // Asked again now that it is open: an empty file costs no read, and a file that grew is taken as it is.
        FileFacts facts = DataFile.FactsOf(handle, entry.Path);
        int size = (int)Math.Min(facts.Size, GrowthLimit);
        int permissions = (int)facts.Permissions;
        TarHeader.WriteFile(plain, entry.MemberName, size, permissions, facts.Modified.Seconds);
        int start = plain.Length;
        var notes = new PageNotes(_notesVisible);
        await AppendContentAsync(plain, handle, entry, 0, size, notes, cancellationToken).ConfigureAwait(false);
        TarHeader.WriteZeros(plain, TarHeader.PaddingOf(size));
        job.Packed.Add(Packed(entry.MemberName, start, size, facts with { Size = size }, MemberKind.File, notes));
    }

    private async Task AppendIncrementAsync(FrameJob job, FrameBuffer plain, DataDirectoryEntry entry, Increment increment, CancellationToken cancellationToken)
    {
        using SafeFileHandle? handle = DataFile.TryOpen(entry.Path);
        if (handle is null)
        {
            _log.Verbose($"'{entry.Path}' vanished before it was read.");
            return;
        }
        FileFacts facts = increment.Facts;
        TarHeader.WriteFile(plain, entry.MemberName, increment.Length, (int)facts.Permissions, facts.Modified.Seconds);
        int start = plain.Length;
        increment.WriteHeader(plain);
        await AppendPagesAsync(plain, handle, entry, increment, 0, increment.Blocks.Length, cancellationToken).ConfigureAwait(false);
        TarHeader.WriteZeros(plain, TarHeader.PaddingOf(increment.Length));
        job.Packed.Add(Packed(entry.MemberName, start, increment.Length, facts, MemberKind.Increment, increment.Notes));
    }

    private static void AppendHeaderOf(FrameJob job, FrameBuffer plain, BigFile file)
    {
        TarHeader.WriteFile(plain, file.Entry.MemberName, file.ContentLength, (int)file.Facts.Permissions, file.Facts.Modified.Seconds);
        MemberKind kind = file.Increment is null ? MemberKind.File : MemberKind.Increment;
        job.Packed.Add(Packed(file.Entry.MemberName, plain.Length, file.ContentLength, file.Facts, kind, file.Notes));
        file.Increment?.WriteHeader(plain);
    }

    private async Task AppendPieceAsync(FrameJob job, FrameBuffer plain, BigFile file, CancellationToken cancellationToken)
    {
        if (file.Increment is { } increment)
        {
            int first = (int)((job.PieceOffset - increment.HeaderLength) / PageHeader.DefaultPageSize);
            await AppendPagesAsync(plain, file.Handle, file.Entry, increment, first, job.PieceLength / PageHeader.DefaultPageSize, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await AppendContentAsync(plain, file.Handle, file.Entry, job.PieceOffset, job.PieceLength, file.Notes, cancellationToken).ConfigureAwait(false);
        }
        if (job.PieceOffset + job.PieceLength == file.ContentLength)
            TarHeader.WriteZeros(plain, TarHeader.PaddingOf(file.ContentLength));
    }

    /// <summary>Appends some of an increment's pages; neighbours are read at once.</summary>
    private async Task AppendPagesAsync(
        FrameBuffer plain, SafeFileHandle handle, DataDirectoryEntry entry, Increment increment, int first, int count, CancellationToken cancellationToken)
    {
        for (int i = first; i < first + count;)
        {
            int next = i + 1;
            while (next < first + count && increment.Blocks[next] == increment.Blocks[next - 1] + 1)
                next++;
            await AppendContentAsync(
                plain, handle, entry, (long)increment.Blocks[i] * PageHeader.DefaultPageSize, (next - i) * PageHeader.DefaultPageSize, increment.Notes, cancellationToken).ConfigureAwait(false);
            i = next;
        }
    }

    private async Task AppendContentAsync(
        FrameBuffer plain, SafeFileHandle handle, DataDirectoryEntry entry, long offset, int length, PageNotes notes, CancellationToken cancellationToken)
    {
        if (length == 0)
            return;
        int start = plain.Length;
        DataFile.Read(handle, entry.Path, offset, plain.GetSpan(length)[..length]);
        plain.Advance(length);
        if (_inspector is not null)
            await _inspector.InspectAsync(plain.Slice(start, length), offset, entry.MemberName, handle, entry.Path, notes.Corrupt, cancellationToken).ConfigureAwait(false);
        if (RelationPath.Classify(entry.MemberName[1..]) is { Kind: DataFileKind.Relation, Fork: RelationFork.Main })
            notes.Note(plain.Slice(start, length).Span, offset);
    }

    private static PackedMember Packed(string name, long offset, long length, FileFacts facts, MemberKind kind, PageNotes? notes) => new(
        new IndexedMember(name, offset, length, (int)facts.Permissions, facts.Modified.ToNanoseconds(), kind),
        facts.Modified, kind == MemberKind.Directory ? 0 : facts.Size, notes);
}
