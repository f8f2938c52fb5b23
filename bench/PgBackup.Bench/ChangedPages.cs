using System.Globalization;
using PgBackup.Postgres.Files;

namespace PgBackup.Bench;

/// <summary>How many pages of the tables and indexes changed.</summary>
/// <param name="Changed">Those that did.</param>
/// <param name="All">All there are.</param>
internal sealed record ChangedPages(long Changed, long All)
{
    /// <summary>The part that changed.</summary>
    public double Share => (double)Changed / All;

    /// <summary>Counts the pages whose LSN is after a point of the log.</summary>
    public static ChangedPages Count(string dataDirectory, Lsn since)
    {
        long changed = 0, all = 0;
        byte[] page = new byte[PageHeader.DefaultPageSize];
        foreach (string path in Directory.EnumerateFiles(Path.Combine(dataDirectory, "base"), "*", SearchOption.AllDirectories))
        {
            if (RelationPath.Classify(Path.GetRelativePath(dataDirectory, path)) is not { Kind: DataFileKind.Relation, Fork: RelationFork.Main })
                continue;
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1 << 20);
            while (file.ReadAtLeast(page, page.Length, throwOnEndOfStream: false) == page.Length)
            {
                all++;
                changed += new PageHeader(page).Lsn > since ? 1 : 0;
            }
        }
        return new ChangedPages(changed, all);
    }

    /// <summary>The counts of several rounds, for people.</summary>
    public static string Describe(IReadOnlyList<ChangedPages> rounds) => string.Create(
        CultureInfo.InvariantCulture, $"{rounds.Min(r => r.Changed):N0} to {rounds.Max(r => r.Changed):N0} of {rounds[^1].All:N0} pages, {100 * rounds[^1].Share:F1} %");
}
