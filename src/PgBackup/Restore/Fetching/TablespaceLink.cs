using PgBackup.Platform;

namespace PgBackup.Restore.Fetching;

/// <summary>The links in <c>pg_tblspc</c>: to lose one would be to lose where a tablespace lies.</summary>
internal static class TablespaceLink
{
    // No tablespace has this name, so that one that a kill has left is removed by the next restore.
    private const string NewSuffix = ".pgbackup";

    /// <summary>Makes a link, or makes it lead elsewhere, in one step; one that leads there already is left alone.</summary>
    public static void Set(string link, string target)
    {
        string? there = new FileInfo(link).LinkTarget;
        if (string.Equals(there, target, StringComparison.Ordinal))
            return;
        if (there is null || OperatingSystem.IsWindows())
        {
            File.Delete(link);
            File.CreateSymbolicLink(link, target);
            return;
        }
        string made = link + NewSuffix;
        File.Delete(made);
        File.CreateSymbolicLink(made, target);
        Posix.Rename(made, link);
    }
}
