using System.Runtime.CompilerServices;
using PgBackup.Backup.Deltas;
using PgBackup.Backup.Packing;
using PgBackup.Backup.Reading;
using PgBackup.Postgres.Files;
using PgBackup.Repository.Documents;

namespace PgBackup.Backup.Remote;

/// <summary>Packs the content of one file after the other: whole, as the pages that changed, or not at all. Every byte is read, whatever is stored.</summary>
/// <param name="cutter">Where it is packed.</param>
/// <param name="inspector">Looks at pages; null when the cluster has no checksums.</param>
/// <param name="selection">What a delta stores; null for a full backup.</param>
/// <param name="segmentSize">The bytes of a relation's file at most; a larger one is none, and is stored whole.</param>
/// <param name="notesVisible">Whether it is noted which pages are marked all-visible.</param>
internal sealed class ReceivedPacker(FrameCutter cutter, PageInspector? inspector, RemoteSelection? selection, long segmentSize, bool notesVisible) : IDisposable
{
    private const int PageSize = PageHeader.DefaultPageSize;

    private readonly PageSpool _spool = new();
    private readonly byte[] _scratch = new byte[64 * PageSize];

    /// <summary>Takes in a file; yields the frames that are finished meanwhile.</summary>
    public IAsyncEnumerable<FrameJob> PackAsync(ReceivedMember member, ReceivedContent content, CancellationToken cancellationToken)
    {
        RelationPath relation = RelationPath.Classify(member.Name![1..]);
        PageNotes? notes = relation.IsPaged ? new PageNotes(notesVisible) : null;
        if (selection is null)
            return PackWholeAsync(member, relation, notes, content.ReadAsync, cancellationToken);
        if (selection.Find(member, relation) is not { } known || member.Header.Size > segmentSize)
            return PackWholeAsync(member, relation, notes, content.ReadAsync, cancellationToken);
        if (!selection.KnowsPages)
            return ScanAsync(member, relation, notes!, known, content, cancellationToken);
        return selection.ChangesIn(member, relation, known) is { } blocks && blocks.Length < member.Header.Size / PageSize
            ? PackKnownPagesAsync(member, relation, notes!, known, blocks, content, cancellationToken)
            : PackWholeAsync(member, relation, notes, content.ReadAsync, cancellationToken);
    }

    public void Dispose() => _spool.Dispose();

    private async IAsyncEnumerable<FrameJob> PackWholeAsync(
        ReceivedMember member, RelationPath relation, PageNotes? notes, Func<Memory<byte>, CancellationToken, ValueTask> read,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        long size = member.Header.Size;
        int most = cutter.BeginFile(member.Name!, size, member.Header.Mode, member.Modified, size, MemberKind.File, notes);
        for (long offset = 0; offset < size; offset += most)
        {
            if (size >= FramePlanner.BigFileFrom)
                cutter.BeginPiece();
            while (cutter.TryTake(out ReceivedFrame? frame))
                yield return frame;
            int length = (int)Math.Min(most, size - offset);
            await read(cutter.Reserve(length), cancellationToken).ConfigureAwait(false);
            cutter.Advance(length, offset, relation, notes);
        }
        cutter.EndFile(size);
    }

    private async IAsyncEnumerable<FrameJob> PassOverAsync(ReceivedContent content, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        cutter.Settle(content.Left);
        while (content.Left > 0)
            await content.ReadAsync(_scratch.AsMemory(0, (int)Math.Min(_scratch.Length, content.Left)), cancellationToken).ConfigureAwait(false);
        yield break;
    }

    // The pages are known: those that changed are put into their frames as they come.
    private async IAsyncEnumerable<FrameJob> PackKnownPagesAsync(
        ReceivedMember member, RelationPath relation, PageNotes notes, ParentFile known, uint[] blocks, ReceivedContent content,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        long size = member.Header.Size;
        selection!.RestsOnParent();
        known.NoteBeside(blocks, notes);
        if (blocks.Length == 0 && size == known.Size)
        {
            cutter.AddSkipped(member.Name!, member.Header.Mode, member.Modified, size, notes.ToNoted());
            await foreach (FrameJob frame in PassOverAsync(content, cancellationToken).ConfigureAwait(false))
                yield return frame;
            yield break;
        }
        Increment increment = BeginIncrement(member, blocks, notes);
        long at = 0;
        for (int i = 0; i < blocks.Length; i++)
        {
            if (BeginsPiece(increment, i))
            {
                while (cutter.TryTake(out ReceivedFrame? frame))
                    yield return frame;
            }
            await SkipAsync(content, ((long)blocks[i] * PageSize) - at, cancellationToken).ConfigureAwait(false);
            await content.ReadAsync(cutter.Reserve(PageSize), cancellationToken).ConfigureAwait(false);
            cutter.Advance(PageSize, (long)blocks[i] * PageSize, relation, notes);
            at = ((long)blocks[i] + 1) * PageSize;
        }
        await SkipAsync(content, content.Left, cancellationToken).ConfigureAwait(false);
        cutter.EndFile(increment.Length);
    }

    // The pages tell by themselves, and how many they are stands before them: the file is held until all have come.
    private async IAsyncEnumerable<FrameJob> ScanAsync(
        ReceivedMember member, RelationPath relation, PageNotes notes, ParentFile known, ReceivedContent content, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        long size = member.Header.Size;
        var changed = new List<uint>();
        byte[] visible = selection!.Scan.VisibleIn(known);
        bool isWhole = false;
        for (long offset = 0; offset < size;)
        {
            int length = (int)Math.Min(PageSpool.MostAt(offset), size - offset);
            Memory<byte> room = _spool.Reserve(offset, length);
            await content.ReadAsync(room, cancellationToken).ConfigureAwait(false);
            if (inspector is not null)
                await inspector.InspectReceivedAsync(room, offset, relation, notes.Corrupt, cancellationToken).ConfigureAwait(false);
            isWhole = isWhole || !selection.Scan.Choose(room.Span, (uint)(offset / PageSize), known, visible, changed, notes);
            _spool.Commit(offset, room.Span);
            offset += length;
        }
        if (isWhole || changed.Count == size / PageSize)
        {
            await foreach (FrameJob frame in PackWholeAsync(member, relation, notes, FromSpool(), cancellationToken).ConfigureAwait(false))
                yield return frame;
            yield break;
        }
        selection!.RestsOnParent();
        if (changed.Count == 0 && size == known.Size && notes.Corrupt.IsEmpty)
        {
            cutter.AddSkipped(member.Name!, member.Header.Mode, member.Modified, size, notes.ToNoted());
            cutter.Settle(size);
            yield break;
        }
        Increment increment = BeginIncrement(member, [.. changed], notes);
        for (int i = 0; i < changed.Count; i++)
        {
            if (BeginsPiece(increment, i))
            {
                while (cutter.TryTake(out ReceivedFrame? frame))
                    yield return frame;
            }
            _spool.Read((long)changed[i] * PageSize, cutter.Reserve(PageSize).Span);
            cutter.Advance(PageSize, (long)changed[i] * PageSize, relation, notes);
        }
        cutter.EndFile(increment.Length);
    }

    private Func<Memory<byte>, CancellationToken, ValueTask> FromSpool()
    {
        long offset = 0;
        return (buffer, _) =>
        {
            for (int done = 0; done < buffer.Length;)
            {
                int length = Math.Min(PageSpool.MostAt(offset), buffer.Length - done);
                _spool.Read(offset, buffer.Span.Slice(done, length));
                done += length;
                offset += length;
            }
            return ValueTask.CompletedTask;
        };
    }

    private Increment BeginIncrement(ReceivedMember member, uint[] blocks, PageNotes notes)
    {
        ServerTarMember header = member.Header;
        var increment = new Increment(new Platform.FileFacts(header.Size, (ushort)header.Mode, member.Modified, member.Modified), blocks, notes);
        cutter.BeginFile(member.Name!, increment.Length, header.Mode, member.Modified, header.Size, MemberKind.Increment, increment.Notes);
        cutter.WriteHeader(increment);
        cutter.Settle(header.Size - ((long)blocks.Length * PageSize));
        return increment;
    }

    private bool BeginsPiece(Increment increment, int page)
    {
        if (increment.Length < FramePlanner.BigFileFrom || page % (FramePlanner.FrameSize / PageSize) != 0)
            return false;
        cutter.BeginPiece();
        return true;
    }

    private async ValueTask SkipAsync(ReceivedContent content, long count, CancellationToken cancellationToken)
    {
        while (count > 0)
        {
            int length = (int)Math.Min(_scratch.Length, count);
            await content.ReadAsync(_scratch.AsMemory(0, length), cancellationToken).ConfigureAwait(false);
            count -= length;
        }
    }
}
