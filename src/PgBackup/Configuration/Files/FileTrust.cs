using PgBackup.Errors;
using PgBackup.Platform;

namespace PgBackup.Configuration.Files;

/// <summary>
/// Whether a configuration file may decide where backups go: one that others can write, or have put where somebody happens to be, may not. Windows' access lists are not looked at.
/// </summary>
internal static class FileTrust
{
    private const UnixFileMode Sticky = UnixFileMode.StickyBit;

    /// <summary>Refuses a file that is not to be trusted. Throws <c>ConfigurationNotTrusted</c>.</summary>
    public static void Require(string path, ConfigurationOrigin origin)
    {
        if (OperatingSystem.IsWindows() || Posix.FactsOf(path, followLinks: true) is not { IsRegular: true } file)
            return; // A device or a pipe was named on purpose: /dev/null stands for no configuration.
        string folder = Path.GetDirectoryName(path)!;
        FileFacts place = Posix.FactsOf(folder, followLinks: true) ?? throw new DirectoryNotFoundException($"The folder '{folder}' is gone.");
        UnixFileMode others = origin == ConfigurationOrigin.WorkingFolder ? UnixFileMode.OtherWrite | UnixFileMode.GroupWrite : UnixFileMode.OtherWrite;
        if ((file.Permissions & others) != 0)
            throw PgErrors.ConfigurationNotTrusted(path, "other accounts can write it.", $"Take that right away: chmod go-w '{path}'. Or name a file with -ConfigPath.");
        // In a folder such as /tmp, others can make files, but not replace ours.
        if ((place.Permissions & others) != 0 && (place.Permissions & Sticky) == 0)
            throw PgErrors.ConfigurationNotTrusted(path, $"other accounts can write into the folder '{folder}'.", $"Take that right away: chmod go-w '{folder}'. Or name a file with -ConfigPath.");
        if (origin == ConfigurationOrigin.Named)
            return;
        Own(path, path, "it");
        if (origin == ConfigurationOrigin.WorkingFolder && (place.Permissions & Sticky) == 0)
            Own(path, folder, $"the folder '{folder}'");
    }

    private static void Own(string path, string owned, string what)
    {
        uint owner = Posix.OwnerOf(owned).User;
        if (owner != 0 && owner != Posix.User)
            throw PgErrors.ConfigurationNotTrusted(
                path, $"{what} belongs to another account ({Posix.AccountName(owner) ?? owner.ToString(System.Globalization.CultureInfo.InvariantCulture)}).",
                "Name it with -ConfigPath or PGBACKUP_CONFIG if it is the one that you mean.");
    }
}
