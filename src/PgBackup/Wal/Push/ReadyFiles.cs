namespace PgBackup.Wal.Push;

/// <summary>The files that the server has marked to be archived (PostgreSQL source: pgarch.c, pgarch_readyXlog).</summary>
internal static class ReadyFiles
{
    private const string Mark = ".ready";

    /// <summary>Their names in the order in which the server asks for them: histories first, then by name. Empty where the folder is no pg_wal.</summary>
    public static IReadOnlyList<string> In(string walFolder)
    {
        string status = Path.Combine(walFolder, "archive_status");
        if (!Directory.Exists(status))
            return [];
        var names = new List<string>();
        foreach (string path in Directory.EnumerateFiles(status, "*" + Mark))
        {
            string name = Path.GetFileName(path)[..^Mark.Length];
            if (WalFileName.TryParse(name, out _))
                names.Add(name);
        }
        names.Sort(static (a, b) => IsHistory(a) != IsHistory(b) ? IsHistory(a) ? -1 : 1 : string.CompareOrdinal(a, b));
        return names;
    }

    private static bool IsHistory(string name) => name.EndsWith(".history", StringComparison.Ordinal);
}
