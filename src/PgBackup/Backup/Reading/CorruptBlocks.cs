namespace PgBackup.Backup.Reading;

/// <summary>The damaged pages of one file, numbered within the file; found by several threads.</summary>
internal sealed class CorruptBlocks
{
    private readonly Lock _lock = new();
    private readonly SortedSet<uint> _blocks = [];

    public void Add(uint block)
    {
        lock (_lock)
            _blocks.Add(block);
    }

    public bool IsEmpty
    {
        get
        {
            lock (_lock)
                return _blocks.Count == 0;
        }
    }

    /// <summary>The numbers, ascending.</summary>
    public uint[] ToArray()
    {
        lock (_lock)
            return [.. _blocks];
    }
}
