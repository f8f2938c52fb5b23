using PgBackup.Backup.Deltas;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.Summaries;

namespace PgBackup.Backup.Remote;

/// <summary>
/// Chooses what a delta stores of the files that a server sends: of a relation's main fork that the parent has, the pages that changed, by WAL summaries or by their LSNs
/// (<see cref="FileSelection"/> has the rules); everything else whole, because a server's archive tells no time that could be trusted.
/// </summary>
internal sealed class RemoteSelection
{
    private readonly DeltaParent _parent;
    private readonly BackupTarget _target;
    private readonly BlockChanges? _summaries;
    private readonly UnchangedFiles _unchanged;
    private readonly HashSet<string> _madeAnew = new(StringComparer.Ordinal);
    private readonly HashSet<string> _resting = new(StringComparer.Ordinal);
    private string _database = "";

    private RemoteSelection(DeltaParent parent, BackupTarget target, BlockChanges? summaries)
    {
        _parent = parent;
        _target = target;
        _summaries = summaries;
        _unchanged = new UnchangedFiles(parent.StartTime, isOfThisHost: false); // The parent may be a standby's or the primary's.
        Scan = new PageScan(parent.StartLsn, null, new RateLimiter(null), target.Traits.HasDataChecksums);
    }

    /// <summary>The rule of the pages' LSNs.</summary>
    public PageScan Scan { get; }

    /// <summary>True when the pages are known before a file comes.</summary>
    public bool KnowsPages => _summaries is not null;

    /// <summary>Finds out in which way changes can be found; null for a full backup.</summary>
    public static async Task<RemoteSelection?> PrepareAsync(
        DeltaParent? parent, BackupStart start, BackupTarget target, BackupSession session, IOperationLog log, CancellationToken cancellationToken)
    {
        if (parent is null)
            return null;
        (BlockChanges? summaries, string? reason) = await parent.TryReadChangesAsync(session.Server, start, log, cancellationToken).ConfigureAwait(false);
        if (summaries is null)
            log.Verbose($"What changed since {parent.Name} is found by the LSNs of the pages that come: {reason}.");
        return new RemoteSelection(parent, target, summaries);
    }

    /// <summary>What the parent knows of a file of which pages can be stored; null when it has to be stored whole. A file that is shorter than it was is stored whole.</summary>
    public ParentFile? Find(ReceivedMember member, RelationPath relation)
    {
        FileFacts facts = FactsOf(member);
        EnterFolder(member);
        return RelationRules.IsPaged(facts, relation, _target.Traits)
            && _parent.Files.Find(member.Name!) is { } known && facts.Size >= known.Size && !_madeAnew.Contains(_database)
            ? known
            : null;
    }

    /// <summary>The pages that changed by WAL summaries; null when the file has to be stored whole.</summary>
    public uint[]? ChangesIn(ReceivedMember member, RelationPath relation, ParentFile known)
    {
        if (!_target.Traits.HasDataChecksums && known.AllVisible is null)
            return null; // What a delta of wal-g's lacks, summaries do not bring.
        long pages = member.Header.Size / PageHeader.DefaultPageSize;
        return _summaries!.ChangesIn(relation, _target.Traits.BlocksPerSegment, (uint)pages, (uint)known.PagesOr(pages));
    }

    /// <summary>Notes that less than the whole of a file is stored.</summary>
    public void RestsOnParent() => _resting.Add(_database);

    private static FileFacts FactsOf(ReceivedMember member) => new(member.Header.Size, (ushort)member.Header.Mode, member.Modified, member.Modified);

    /// <summary>
    /// Notes the PG_VERSION of a database, which is written when it is made or moved: pages of one made anew under the OID of another have old LSNs
    /// (<see cref="RelationRules.IsOfNewDatabase"/>). It comes among the files of its folder, and after its tables in other tablespaces. Throws <c>DatabaseMadeAnew</c> when it is
    /// too late to store them whole.
    /// </summary>
    private void EnterFolder(ReceivedMember member)
    {
        string folder = member.Name![..member.Name!.LastIndexOf('/')];
        _database = folder[(folder.LastIndexOf('/') + 1)..];
        if (member.FileName != "PG_VERSION" || folder.Length == 0 || _summaries is not null)
            return;
        bool isMadeAnew = _parent.Files.Find(member.Name!) is not { } known
            || (known.Modified.Seconds != member.Header.Modified && !_unchanged.IsOlder(FactsOf(member)));
        if (isMadeAnew && _madeAnew.Add(_database) && _resting.Contains(_database))
            throw PgErrors.DatabaseMadeAnew(folder[1..]);
    }
}
