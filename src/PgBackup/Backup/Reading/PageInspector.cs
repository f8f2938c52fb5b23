using Microsoft.Win32.SafeHandles;
using PgBackup.Postgres.Files;

namespace PgBackup.Backup.Reading;

/// <summary>
/// Verifies the pages of relation files while they are read. A page that looks damaged is read again, because a running server may be writing it; if it
/// stays so it is reported, and stored as it is: a bad page never costs the backup.
/// </summary>
internal sealed class PageInspector
{
    private const int PageSize = PageHeader.DefaultPageSize;
    private const int Attempts = 4;
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(100);

    private readonly PageVerifier _verifier;
    private readonly int _blocksPerFile;
    private readonly Func<CancellationToken, Task<Lsn>> _askWalEnd;
    private ulong _walEnd;

    private PageInspector(Lsn start, int blocksPerFile, Lsn walEnd, Func<CancellationToken, Task<Lsn>> askWalEnd)
    {
        _verifier = new PageVerifier(hasChecksums: true, start);
        _blocksPerFile = blocksPerFile;
        _walEnd = walEnd.Value;
        _askWalEnd = askWalEnd;
    }

    /// <summary>For a backup that has begun; null when the cluster has no data checksums. Throws <c>StandbyPromoted</c>.</summary>
    public static async Task<PageInspector?> TryCreateAsync(BackupTarget target, BackupStart start, BackupSession session, CancellationToken cancellationToken) =>
        target.Traits.HasDataChecksums
            ? new PageInspector(
                start.Lsn, target.Traits.BlocksPerSegment, await session.WalEndAsync(cancellationToken).ConfigureAwait(false), session.WalEndAsync)
            : null;

    private Lsn WalEnd => new(Volatile.Read(ref _walEnd));

    /// <summary>
    /// Looks at the pages in <paramref name="content"/>, which was read from <paramref name="fileOffset"/> on, and puts what a second look
    /// shows in their place. Damaged pages are added to <paramref name="corrupt"/>, numbered in the file.
    /// </summary>
    public async Task InspectAsync(
        Memory<byte> content, long fileOffset, string memberName, SafeFileHandle handle, string path, BlockSet corrupt, CancellationToken cancellationToken)
    {
        RelationPath relation = RelationPath.Classify(memberName[1..]);
        if (!relation.IsPaged)
            return;
        uint firstBlock = relation.FirstBlock(_blocksPerFile) + (uint)(fileOffset / PageSize);
        if (Suspects(content.Span, firstBlock) is not { } suspects)
            return;

        await RefreshWalEndAsync(cancellationToken).ConfigureAwait(false);
        for (int attempt = 1; ; attempt++)
        {
            suspects.RemoveAll(page => !IsDamaged(content.Span.Slice(page * PageSize, PageSize), firstBlock + (uint)page));
            if (suspects.Count == 0)
                return;
            if (attempt == Attempts)
                break;
            await Task.Delay(s_pause, cancellationToken).ConfigureAwait(false);
            foreach (int page in suspects)
                DataFile.Read(handle, path, fileOffset + ((long)page * PageSize), content.Span.Slice(page * PageSize, PageSize));
            await RefreshWalEndAsync(cancellationToken).ConfigureAwait(false);
        }
        foreach (int page in suspects)
            corrupt.Add((uint)((fileOffset / PageSize) + page));
    }

    /// <summary>
    /// The same for pages that came from a server at a distance, which has looked twice itself where a checksum was wrong: they cannot be read again. Only the end
    /// of WAL is asked anew.
    /// </summary>
    public async Task InspectReceivedAsync(
        ReadOnlyMemory<byte> content, long fileOffset, RelationPath relation, BlockSet corrupt, CancellationToken cancellationToken)
    {
        uint firstBlock = relation.FirstBlock(_blocksPerFile) + (uint)(fileOffset / PageSize);
        if (Suspects(content.Span, firstBlock) is not { } suspects)
            return;
        await RefreshWalEndAsync(cancellationToken).ConfigureAwait(false);
        foreach (int page in suspects)
        {
            if (IsDamaged(content.Span.Slice(page * PageSize, PageSize), firstBlock + (uint)page))
                corrupt.Add((uint)((fileOffset / PageSize) + page));
        }
    }

    private List<int>? Suspects(ReadOnlySpan<byte> content, uint firstBlock)
    {
        List<int>? suspects = null;
        int pages = content.Length / PageSize;
        for (int page = 0; page < pages; page++)
        {
            if (IsDamaged(content.Slice(page * PageSize, PageSize), firstBlock + (uint)page))
                (suspects ??= []).Add(page);
        }
        return suspects;
    }

    private bool IsDamaged(ReadOnlySpan<byte> page, uint block) => PageVerifier.IsDamage(_verifier.Verify(page, block, WalEnd));

    private async Task RefreshWalEndAsync(CancellationToken cancellationToken)
    {
        ulong now = (await _askWalEnd(cancellationToken).ConfigureAwait(false)).Value;
        ulong seen = Volatile.Read(ref _walEnd);
        while (now > seen)
        {
            ulong before = Interlocked.CompareExchange(ref _walEnd, now, seen);
            if (before == seen)
                return;
            seen = before;
        }
    }
}
