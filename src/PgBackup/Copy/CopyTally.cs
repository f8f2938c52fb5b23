using PgBackup.Storage;

namespace PgBackup.Copy;

/// <summary>Counts what has gone over for one backup, from any thread.</summary>
internal sealed class CopyTally
{
    private int _count;
    private long _bytes;

    /// <summary>How many objects.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Their bytes.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Takes one more.</summary>
    public void Add(StoredObject item)
    {
        Interlocked.Increment(ref _count);
        Interlocked.Add(ref _bytes, item.Size);
    }
}
