using PgBackup.Repository;

namespace PgBackup.Verification.Doctor;

/// <summary>What the first objects of the archive show: an archive may hold ten million, and nobody waits for a doctor who lists them all.</summary>
internal sealed class WalSample
{
    private const int MostListed = 100_000;
    private const int MostKept = 3;
    private const int MostNamed = 100;

    private WalSample(int listed, bool isWhole, IReadOnlyList<ArchivedWalFile> newestSegments, IReadOnlyList<string> duplicates)
    {
        Listed = listed;
        IsWhole = isWhole;
        NewestSegments = newestSegments;
        Duplicates = duplicates;
    }

    /// <summary>How many objects were looked at.</summary>
    public int Listed { get; }

    /// <summary>True when that was all.</summary>
    public bool IsWhole { get; }

    /// <summary>The newest segments among them.</summary>
    public IReadOnlyList<ArchivedWalFile> NewestSegments { get; }

    /// <summary>WAL files that are there under more than one extension.</summary>
    public IReadOnlyList<string> Duplicates { get; }

    public static async Task<WalSample> LoadAsync(BackupRepository repository, CancellationToken cancellationToken)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var newest = new PriorityQueue<ArchivedWalFile, DateTimeOffset>();
        var duplicates = new List<string>();
        int listed = 0;
        bool isWhole = true;
        await foreach (ArchivedWalFile item in WalArchive.ListAsync(repository, cancellationToken).ConfigureAwait(false))
        {
            if (listed == MostListed)
            {
                isWhole = false;
                break;
            }
            listed++;
            if (!names.Add(item.File.Name) && duplicates.Count < MostNamed)
                duplicates.Add(item.File.Name);
            if (item.File.Kind != WalFileKind.Segment)
                continue;
            newest.Enqueue(item, item.Object.LastModified);
            if (newest.Count > MostKept)
                newest.Dequeue();
        }
        return new WalSample(listed, isWhole, [.. newest.UnorderedItems.Select(i => i.Element)], duplicates);
    }
}
