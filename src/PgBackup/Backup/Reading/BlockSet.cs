namespace PgBackup.Backup.Reading;

/// <summary>Numbers of pages of one file, counted within it; found by several threads. Most stay empty.</summary>
internal sealed class BlockSet
{
    private readonly Lock _lock = new();
    private SortedSet<uint>? _blocks;

    public bool IsEmpty
    {
        get
        {
            lock (_lock)
                return _blocks is null;
        }
    }

    public void Add(uint block)
    {
        lock (_lock)
            (_blocks ??= []).Add(block);
    }

    /// <summary>The numbers, ascending.</summary>
    public uint[] ToArray()
    {
        lock (_lock)
            return _blocks is null ? [] : [.. _blocks];
    }
}
