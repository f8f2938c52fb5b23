using System.Globalization;
using System.IO.Hashing;
using System.Text;

namespace PgBackup.Wal.Spool;

/// <summary>
/// What was stored before the server asked for it: one small file for each WAL file, written when the object was durable and proven. It is believed only while the file in pg_wal is still
/// the very same one, and whoever believes it looks whether the object is still there.
/// </summary>
internal sealed class PushReceipts
{
    private const string Version = "1";

    private readonly string _folder;

    public PushReceipts(WalSpool spool) => _folder = spool.Combine("pushed");

    /// <summary>The object that holds the file; null when nothing is known, or the file is not what it was.</summary>
    /// <param name="path">The file in pg_wal.</param>
    public (string Key, long StoredSize)? Find(string path)
    {
        string receipt = PathOf(path);
        if (!File.Exists(receipt))
            return null;
        string[] parts = File.ReadAllText(receipt).Split('\t');
        return parts is [Version, var key, var size, var stamp, var hash]
            && hash == HashOf(key, size, stamp)
            && long.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out long stored)
            && FileStamp.Of(path) is { } now && now.Text == stamp
            ? (key, stored)
            : null;
    }

    /// <summary>Notes that the object holds the file. Whole or not at all, but not synced: what a crash takes is asked of the store.</summary>
    /// <param name="path">The file in pg_wal.</param>
    /// <param name="stamp">What the file was before it was stored, and still is.</param>
    /// <param name="key">The object.</param>
    /// <param name="storedSize">Its bytes.</param>
    public void Write(string path, FileStamp stamp, string key, long storedSize)
    {
        string receipt = PathOf(path);
        string size = storedSize.ToString(CultureInfo.InvariantCulture);
        WalSpool.Replace(receipt, string.Join('\t', Version, key, size, stamp.Text, HashOf(key, size, stamp.Text)));
    }

    /// <summary>Removes what is noted of files that nobody will ask for any more.</summary>
    /// <param name="waiting">The names of the files that wait.</param>
    public void Forget(IReadOnlySet<string> waiting)
    {
        foreach (string receipt in Directory.EnumerateFiles(_folder))
        {
            if (!waiting.Contains(Path.GetFileName(receipt)))
                File.Delete(receipt);
        }
    }

    private string PathOf(string path) => Path.Combine(_folder, Path.GetFileName(path));

    private static string HashOf(string key, string size, string stamp) =>
        XxHash64.HashToUInt64(Encoding.UTF8.GetBytes($"{key}\t{size}\t{stamp}")).ToString("x16", CultureInfo.InvariantCulture);
}
