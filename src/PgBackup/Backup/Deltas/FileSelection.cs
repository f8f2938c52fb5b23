using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;
using PgBackup.Backup.Reading;
using PgBackup.Platform;
using PgBackup.Postgres;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.Summaries;

namespace PgBackup.Backup.Deltas;

/// <summary>
/// Chooses for each file whether it goes into the backup whole, as the pages that changed, or not at all. In a full backup all go whole. Files are looked at by several
/// workers, a few ahead of who packs them, and come out in the order in which they were listed.
/// </summary>
internal sealed class FileSelection
{
    private const int ScansPerWorker = 2;
    private const int EntriesAhead = 256;

    private readonly DeltaParent? _parent;
    private readonly DateTimeOffset _start;
    private readonly BackupTarget _target;
    private readonly BlockChanges? _summaries;
    private readonly PageScan? _scan;
    private readonly int _workers;
    private readonly IOperationLog _log;
    private readonly UnchangedFiles? _unchanged;
    private readonly RelationRules? _rules;

    private FileSelection(DeltaParent? parent, BackupStart start, BackupTarget target, BlockChanges? summaries, PageScan? scan, int workers, IOperationLog log)
    {
        _start = start.Time;
        _log = log;
        _parent = parent;
        _target = target;
        _summaries = summaries;
        _scan = scan;
        _workers = workers;
        if (parent is null)
            return;
        _unchanged = new UnchangedFiles(parent.StartTime, parent.IsOfThisHost);
        _rules = new RelationRules(parent, _unchanged, target.DataDirectory);
    }

    /// <summary>Finds out in which way changes can be found: from WAL summaries, else by reading pages.</summary>
    public static async Task<FileSelection> PrepareAsync(
        DeltaParent? parent, BackupStart start, BackupTarget target, BackupSession session, PageInspector? inspector, RateLimiter rate, int workers,
        IOperationLog log, IProgress<OperationProgress> progress, CancellationToken cancellationToken)
    {
        if (parent is null)
            return new FileSelection(null, start, target, null, null, workers, log);
        progress.Report(new OperationProgress("Backing up the cluster", "Waiting for WAL summaries", 0, null));
        (BlockChanges? summaries, string? reason) = await parent.TryReadChangesAsync(session.Server, start, log, cancellationToken).ConfigureAwait(false);
        if (summaries is not null)
            return new FileSelection(parent, start, target, summaries, null, workers, log);
        // A server that is set up to summarize and does not is worth a word; one that is not is as usual.
        if (session.Server.MajorVersion >= WalSummaries.FirstVersion && reason != "summarize_wal is off")
            log.Warning($"What changed is found by reading the pages of changed files: {reason}.");
        else
            log.Verbose($"What changed since {parent.Name} is found by reading the pages of changed files: {reason}.");
        return new FileSelection(parent, start, target, null, new PageScan(parent.StartLsn, inspector, rate, target.Traits.HasDataChecksums), workers, log);
    }

    /// <summary>The members in the order of the entries.</summary>
    public async IAsyncEnumerable<SelectedMember> SelectAsync(IEnumerable<DataDirectoryEntry> entries, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var ahead = new Queue<(Task<SelectedMember?> Selecting, bool IsScan)>();
        int scans = 0;
        try
        {
            foreach (DataDirectoryEntry entry in entries)
            {
                Task<SelectedMember?> selecting = Select(entry, stop.Token);
                bool isScan = !selecting.IsCompleted;
                scans += isScan ? 1 : 0;
                ahead.Enqueue((selecting, isScan));
                while (ahead.TryPeek(out (Task<SelectedMember?> Selecting, bool IsScan) next)
                    && (next.Selecting.IsCompleted || scans > ScansPerWorker * _workers || ahead.Count > EntriesAhead))
                {
                    SelectedMember? member = await next.Selecting.ConfigureAwait(false);
                    ahead.Dequeue();
                    scans -= next.IsScan ? 1 : 0;
                    if (member is not null)
                        yield return member.Value;
                }
            }
            while (ahead.TryDequeue(out (Task<SelectedMember?> Selecting, bool IsScan) rest))
            {
                if (await rest.Selecting.ConfigureAwait(false) is { } member)
                    yield return member;
            }
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(ahead.Select(static Task (a) => a.Selecting)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Null for what is left out.</summary>
    private Task<SelectedMember?> Select(DataDirectoryEntry entry, CancellationToken cancellationToken)
    {
        if (_parent is null || entry.IsDirectory)
            return Now(SelectedMember.Whole(entry));
        RelationPath relation = RelationPath.Classify(entry.MemberName[1..]);
        ParentFile? found = _parent.Files.Find(entry.MemberName);
        if (found is not { } known)
            return Now(SelectedMember.Whole(entry));
        bool isPaged = RelationRules.IsPaged(entry.Facts, relation, _target.Traits);
        if (isPaged && _summaries is not null)
            return Now(SelectBySummaries(entry, relation, known));
        if (_unchanged!.Contains(entry, known) && (!isPaged || KnowsMarks(known)))
            return Now(Skipped(entry, isPaged ? PagesOf(known) : null));
        return isPaged && entry.Facts.Size >= known.Size && !_rules!.IsOfNewDatabase(entry)
            ? Task.Run(() => ScanAsync(entry, known, cancellationToken), cancellationToken)
            : Now(SelectedMember.Whole(entry));
    }

    private static Task<SelectedMember?> Now(SelectedMember? member) => Task.FromResult(member);

    private SelectedMember SelectBySummaries(DataDirectoryEntry listed, RelationPath relation, ParentFile known)
    {
        // Written since our start it may hold what the summaries do not know; replay brings that. But its time must not pass for that of the content that we store: wal-g skips by it.
        DataDirectoryEntry entry = listed.Facts.Modified.ToDateTimeOffset() < _start - UnchangedFiles.Grain
            ? listed
            : listed with { Facts = listed.Facts with { Modified = listed.Facts.Modified.Beside() } };
        long pages = entry.Facts.Size / PageHeader.DefaultPageSize;
        // A file that is shorter than it was is stored whole, in either way: along a chain of increments files only grow, and no restore can bring back a page from before.
        if (entry.Facts.Size < known.Size || !KnowsMarks(known)
            || _summaries!.ChangesIn(relation, _target.Traits.BlocksPerSegment, (uint)pages, (uint)known.PagesOr(pages)) is not { } blocks)
            return SelectedMember.Whole(entry);
        var notes = new PageNotes(notesVisible: !_target.Traits.HasDataChecksums);
        known.NoteBeside(blocks, notes);
        return Form(entry, new Increment(entry.Facts, blocks, notes), known);
    }

    // A delta of wal-g's may lack marks that were set before its own start: then every page has to be looked at once (PageScan).
    private bool KnowsMarks(ParentFile known) => _target.Traits.HasDataChecksums || known.AllVisible is not null;

    private NotedPages PagesOf(ParentFile known) => _target.Traits.HasDataChecksums ? known.Pages with { AllVisible = null } : known.Pages;

    private async Task<SelectedMember?> ScanAsync(DataDirectoryEntry entry, ParentFile known, CancellationToken cancellationToken)
    {
        using SafeFileHandle? handle = DataFile.TryOpen(entry.Path);
        if (handle is null)
        {
            _log.Verbose($"'{entry.Path}' vanished before it was read.");
            return null;
        }
        // Its time is taken before its content: what is written from here on moves the time.
        DataDirectoryEntry opened = entry with { Facts = DataFile.FactsOf(handle, entry.Path) };
        if (opened.Facts.Size < known.Size || opened.Facts.Size % PageHeader.DefaultPageSize != 0)
            return SelectedMember.Whole(opened);
        Increment? increment = await _scan!.ScanAsync(opened, handle, opened.Facts, known, cancellationToken).ConfigureAwait(false);
        return increment is null ? SelectedMember.Whole(opened) : Form(opened, increment, known);
    }

    private static SelectedMember Skipped(DataDirectoryEntry entry, NotedPages? known) => new(entry, MemberForm.Skipped, null, known);

    private static SelectedMember Form(DataDirectoryEntry entry, Increment increment, ParentFile known)
    {
        if (increment.Blocks.Length == entry.Facts.Size / PageHeader.DefaultPageSize)
            return SelectedMember.Whole(entry);
        return increment.Blocks.Length == 0 && entry.Facts.Size == known.Size && increment.Notes.Corrupt.IsEmpty
            ? Skipped(entry, increment.Notes.ToNoted())
            : new SelectedMember(entry, MemberForm.Increment, increment);
    }
}
