using System.Runtime.InteropServices;
using PgBackup.Errors;
using PgBackup.Repository;

namespace PgBackup.Restore.Fetching;

/// <summary>What to do with a tar member of one backup of the chain.</summary>
internal enum MemberUse
{
    /// <summary>Nothing: a later backup of the chain has it, or the file is gone by then.</summary>
    None,

    /// <summary>It is the whole file.</summary>
    Whole,

    /// <summary>It is an increment on what earlier backups of the chain hold.</summary>
    Increment,
}

/// <summary>
/// Which tar members of a chain make up the cluster, and whether every one of them was met. A name is kept as its 128-bit hash: a million files take
/// some 50 MB.
/// </summary>
internal sealed class WantedFiles
{
    private readonly Dictionary<UInt128, Entry> _entries = [];
    private readonly bool _everything;

    private WantedFiles(bool everything) => _everything = everything;

    /// <summary>How many files and folders the target backup lists; 0 when it lists none and everything is wanted.</summary>
    public int Count => _entries.Count;

    /// <summary>
    /// Reads the chain's lists of files, the newest backup's first (WAL-G's rule: what a backup skipped or holds as an increment is wanted from its parent).
    /// Throws <c>ChainBroken</c>, <c>DocumentInvalid</c>.
    /// </summary>
    public static Task<WantedFiles> ReadAsync(BackupRepository repository, IReadOnlyList<BackupName> chain, CancellationToken cancellationToken) =>
        ReadAsync(repository, chain, null, cancellationToken);

    /// <summary>The same, without the files of the newest backup that <paramref name="isLeftOut"/> takes for its own.</summary>
    public static async Task<WantedFiles> ReadAsync(
        BackupRepository repository, IReadOnlyList<BackupName> chain, Func<FileMetadata, bool>? isLeftOut, CancellationToken cancellationToken)
    {
        var wanted = new WantedFiles(false);
        for (int level = chain.Count - 1; level >= 0; level--)
        {
            int current = level;
            int listed = 0;
            bool isTarget = level == chain.Count - 1;
            string? impossible = null;
            void OnFile(FileMetadata file)
            {
                listed++;
                if (current == 0 && (file.IsSkipped || file.IsIncremented))
                    impossible ??= file.Name;
                if (!isTarget || isLeftOut is null || !isLeftOut(file))
                    wanted.Take(file, current, isTarget);
            }
            bool found = await FilesMetadataReader.TryReadAsync(repository, RepositoryLayout.FilesMetadataKey(chain[level]), OnFile, null, cancellationToken).ConfigureAwait(false);
            if (!found || listed == 0) // Before WAL-G 0.2 the sentinel held the list.
                await FilesMetadataReader.TryReadAsync(repository, RepositoryLayout.SentinelKey(chain[level]), OnFile, null, cancellationToken).ConfigureAwait(false);
            if (impossible is not null)
                throw PgErrors.ChainBroken(repository.Location, chain[level].Text, $"it is a full backup, but says that '{impossible}' lies in a parent.");
            if (listed > 0)
                continue;
            // Without its list a delta cannot be told from a full backup's leftovers: wal-g would write increments out as if they were files.
            if (level > 0)
                throw PgErrors.ChainBroken(repository.Location, chain[level].Text, "the list of its files (files_metadata.json) is missing.");
            if (isTarget)
                return new WantedFiles(true);
            wanted.TakeAllOpenFromBase();
        }
        if (wanted.FirstOpen() is { } open)
            throw PgErrors.ChainBroken(repository.Location, chain[^1].Text, $"{open} files that it took over from its parents are not there.");
        return wanted;
    }

    /// <summary>Whether the target backup lists a file or folder, in any of the forms that names of members have.</summary>
    public bool Lists(string relative) =>
        _entries.ContainsKey(MemberPath.HashOf("/" + relative)) || _entries.ContainsKey(MemberPath.HashOf(relative)) || _entries.ContainsKey(MemberPath.HashOf("./" + relative));

    /// <summary>What to do with a member of the backup at <paramref name="level"/> of the chain (0: the full one).</summary>
    public MemberUse UseOf(string member, int level)
    {
        if (_everything)
            return MemberUse.Whole;
        ref Entry entry = ref CollectionsMarshal.GetValueRefOrNullRef(_entries, MemberPath.HashOf(member));
        if (System.Runtime.CompilerServices.Unsafe.IsNullRef(ref entry) || level < entry.Base)
            return MemberUse.None;
        return level == entry.Base ? MemberUse.Whole : MemberUse.Increment;
    }

    /// <summary>Notes that a member was written. False when it had been before: two members of one name in one backup.</summary>
    public bool Produced(string member)
    {
        if (_everything)
            return true;
        ref Entry entry = ref CollectionsMarshal.GetValueRefOrNullRef(_entries, MemberPath.HashOf(member));
        return System.Runtime.CompilerServices.Unsafe.IsNullRef(ref entry) || Interlocked.Decrement(ref entry.Owed) >= 0;
    }

    /// <summary>What newer backups have brought of a file whose base is still to come; null while none has.</summary>
    public PageLedger? LedgerOf(string member)
    {
        ref Entry entry = ref CollectionsMarshal.GetValueRefOrNullRef(_entries, MemberPath.HashOf(member));
        return System.Runtime.CompilerServices.Unsafe.IsNullRef(ref entry) ? null : Volatile.Read(ref entry.Ledger);
    }

    /// <summary>Keeps the ledger of a file; false when it has one.</summary>
    public bool SetLedger(string member, PageLedger ledger)
    {
        ref Entry entry = ref CollectionsMarshal.GetValueRefOrNullRef(_entries, MemberPath.HashOf(member));
        return Interlocked.CompareExchange(ref entry.Ledger, ledger, null) is null;
    }

    /// <summary>Forgets the ledger of a file that is complete.</summary>
    public void DropLedger(string member)
    {
        ref Entry entry = ref CollectionsMarshal.GetValueRefOrNullRef(_entries, MemberPath.HashOf(member));
        Volatile.Write(ref entry.Ledger, null);
    }

    /// <summary>The increment of a file that was met last and is not yet written; null when there is none.</summary>
    public DeferredIncrement? DeferredOf(string member)
    {
        ref Entry entry = ref CollectionsMarshal.GetValueRefOrNullRef(_entries, MemberPath.HashOf(member));
        return System.Runtime.CompilerServices.Unsafe.IsNullRef(ref entry) ? null : Volatile.Read(ref entry.Deferred);
    }

    /// <summary>Keeps where a file's increment lies; null when all are written.</summary>
    public void SetDeferred(string member, DeferredIncrement? increment)
    {
        ref Entry entry = ref CollectionsMarshal.GetValueRefOrNullRef(_entries, MemberPath.HashOf(member));
        Volatile.Write(ref entry.Deferred, increment);
    }

    /// <summary>How many files were listed and met in no part.</summary>
    public int CountOwed()
    {
        int owed = 0;
        foreach (Entry entry in _entries.Values)
        {
            if (entry.Owed > 0)
                owed++;
        }
        return owed;
    }

    /// <summary>True when the file is listed and was met in no part, or in too few.</summary>
    public bool IsOwed(string member) => _entries.TryGetValue(MemberPath.HashOf(member), out Entry entry) && entry.Owed > 0;

    private void Take(FileMetadata file, int level, bool isTarget)
    {
        UInt128 key = MemberPath.HashOf(file.Name);
        ref Entry entry = ref CollectionsMarshal.GetValueRefOrNullRef(_entries, key);
        bool isNew = System.Runtime.CompilerServices.Unsafe.IsNullRef(ref entry);
        if (isNew)
        {
            if (!isTarget)
                return;
            entry = ref CollectionsMarshal.GetValueRefOrAddDefault(_entries, key, out _)!;
        }
        else if (!entry.IsOpen)
        {
            return;
        }
        if (!file.IsSkipped)
            entry.Owed++;
        entry.IsOpen = file.IsSkipped || file.IsIncremented;
        entry.Base = level;
    }

    private void TakeAllOpenFromBase()
    {
        foreach (UInt128 key in _entries.Keys)
        {
            ref Entry entry = ref CollectionsMarshal.GetValueRefOrNullRef(_entries, key);
            if (entry.IsOpen)
                (entry.IsOpen, entry.Base, entry.Owed) = (false, 0, entry.Owed + 1);
        }
    }

    private int? FirstOpen()
    {
        int open = 0;
        foreach (Entry entry in _entries.Values)
            open += entry.IsOpen ? 1 : 0;
        return open == 0 ? null : open;
    }

    private struct Entry
    {
        public PageLedger? Ledger; // While its increments are restored.
        public DeferredIncrement? Deferred; // Until its base comes.
        public int Base;  // The level that holds the whole file.
        public int Owed;  // How many members make it up, less those that were met.
        public bool IsOpen; // While the chain is read: an earlier backup has the rest.
    }
}
