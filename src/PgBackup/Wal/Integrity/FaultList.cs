using PgBackup.Repository;
using PgBackup.Repository.Pieces;

namespace PgBackup.Wal.Integrity;

/// <summary>What was found wrong in the objects of a path. Of each segment one fault, of all the first thousand; the numbers of damaged segments are kept all. Called from several threads.</summary>
internal sealed class FaultList(PlannedPath planned)
{
    private const int MaxKept = 1000;

    private const string Advice = "Bring the segment back from pg_wal of the server or a standby, or from a copy of the repository: move the object away, then run Push-PgWal. "
        + "If no copy is left, take a new backup with Backup-PgCluster: what lies behind this place cannot be reached from older ones.";

    private const string PiecesAdvice = "Start Receive-PgWal again, which gets the segment from the server as long as that keeps it for the slot, or bring it whole from the server's pg_wal with Push-PgWal. "
        + "If the server is gone, the log ends before this place: restore to a point before it.";

    private readonly Lock _lock = new();
    private readonly SortedList<(ulong Number, string Name), WalFault> _kept = [];
    private readonly SortedSet<ulong> _damaged = [];

    /// <summary>How many there are.</summary>
    public long Count { get; private set; }

    /// <summary>Those that are kept.</summary>
    public IReadOnlyList<WalFault> InOrder()
    {
        lock (_lock)
            return [.. _kept.Values];
    }

    /// <summary>The first damaged segment of a range; null when none is.</summary>
    public ulong? FirstDamaged(ulong first, ulong last)
    {
        lock (_lock)
        {
            foreach (ulong number in _damaged.GetViewBetween(first, last))
                return number;
            return null;
        }
    }

    /// <summary>A segment that is not as it should be.</summary>
    public void AddSegment(ulong number, Lsn lsn, string message, bool isFailure = true)
    {
        WalSegmentName segment = planned.Path.Segment(number);
        PathTail? tail = planned.Path.TailAt(number);
        lock (_lock)
        {
            if (isFailure && !_damaged.Add(number))
                return;
        }
        Add(number, new WalFault
        {
            Name = segment.ToString(),
            Key = tail is not null ? WalPiece.FolderOf(tail.Tail.SystemIdentifier, segment) : planned.Log.Inventory.KeyOf(segment) ?? RepositoryLayout.WalFolder + segment,
            Lsn = lsn,
            IsFailure = isFailure,
            Message = message,
            Recommendation = tail is null ? Advice : PiecesAdvice,
        });
    }

    /// <summary>The note of a backup that is not as it should be. No restore reads it.</summary>
    public void AddNote(ulong number, string name, string key, string message) => Add(number, new WalFault
    {
        Name = name,
        Key = key,
        IsFailure = false,
        Message = message,
        Recommendation = "No restore needs the file; delete the object when nobody looks for the cause.",
    });

    /// <summary>The history files that this path depends on.</summary>
    public void AddHistories()
    {
        foreach (WalFault fault in planned.Log.HistoryFaults)
        {
            if (WalFileName.TryParse(fault.Name, out WalFileName? file) && planned.Path.History.Path.Any(s => s.Timeline == file.Timeline))
                Add(0, fault);
        }
    }

    private void Add(ulong number, WalFault fault)
    {
        lock (_lock)
        {
            Count++;
            _kept[(number, fault.Name)] = fault;
            if (_kept.Count > MaxKept)
                _kept.RemoveAt(MaxKept);
        }
    }
}
