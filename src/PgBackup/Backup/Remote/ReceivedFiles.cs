using System.IO.Hashing;
using System.Text;

namespace PgBackup.Backup.Remote;

/// <summary>
/// What came of each file, to be held against the server's manifest. A name is kept as its 128-bit hash: a million files take some 60 MB. Disagreement is
/// <see cref="InvalidDataException"/>.
/// </summary>
internal sealed class ReceivedFiles
{
    private readonly Dictionary<UInt128, (long Size, uint Checksum)> _files = [];

    /// <summary>How many came and were not asked for yet.</summary>
    public int Count => _files.Count;

    /// <summary>Notes a file.</summary>
    /// <param name="path">Its path below the data directory, as the server writes it.</param>
    /// <param name="size">Its bytes.</param>
    /// <param name="checksum">The CRC-32C of its content.</param>
    public void Add(ReadOnlySpan<byte> path, long size, uint checksum)
    {
        if (!_files.TryAdd(XxHash128.HashToUInt128(path), (size, checksum)))
            throw new InvalidDataException($"the file '{Encoding.UTF8.GetString(path)}' came twice");
    }

    /// <summary>Takes a file off the list; it must have come as the manifest says.</summary>
    public void Require(ReadOnlySpan<byte> path, long size, uint checksum)
    {
        if (!_files.Remove(XxHash128.HashToUInt128(path), out (long Size, uint Checksum) came))
            throw new InvalidDataException($"the file '{Encoding.UTF8.GetString(path)}' did not come");
        if (came.Size != size)
            throw new InvalidDataException($"the file '{Encoding.UTF8.GetString(path)}' came with {came.Size} bytes in place of {size}");
        if (came.Checksum != checksum)
            throw new InvalidDataException($"the content of the file '{Encoding.UTF8.GetString(path)}' came changed");
    }
}
