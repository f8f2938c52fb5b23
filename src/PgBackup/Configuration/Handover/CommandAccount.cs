using System.Globalization;
using PgBackup.Platform;

namespace PgBackup.Configuration.Handover;

/// <summary>The account that a server runs as, which runs archive_command and restore_command.</summary>
/// <param name="Name">Its name.</param>
/// <param name="User">Its number.</param>
/// <param name="Group">Its group's number.</param>
/// <param name="Home">Its home.</param>
public sealed record CommandAccount(string Name, uint User, uint Group, string Home)
{
    /// <summary>Whether this process acts as that account.</summary>
    internal bool IsCurrent => OperatingSystem.IsWindows() || User == Posix.User;

    /// <summary>The account that this process acts as.</summary>
    public static CommandAccount Current()
    {
        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        return OperatingSystem.IsWindows()
            ? new CommandAccount(Environment.UserName, 0, 0, home)
            : Named(Environment.UserName) ?? new CommandAccount(Environment.UserName, Posix.User, Posix.User, home);
    }

    /// <summary>The account of a name; null when there is none.</summary>
    public static CommandAccount? Named(string name) =>
        Posix.AccountNamed(name) is { } found ? new CommandAccount(name, found.User, found.Group, found.Home) : null;

    /// <summary>The account that a folder belongs to; null when the folder is not there.</summary>
    public static CommandAccount? OwnerOf(string folder)
    {
        if (!Directory.Exists(folder))
            return null;
        if (OperatingSystem.IsWindows())
            return Current();
        (uint user, uint group) = Posix.OwnerOf(folder);
        return (Posix.AccountName(user) is { } name ? Named(name) : null) ?? new CommandAccount(user.ToString(CultureInfo.InvariantCulture), user, group, "/");
    }

    /// <summary>
    /// Whether the account may read a file, by owners and permission bits of the file and of all folders above it. Access lists are not looked at, and Windows is taken at its word.
    /// </summary>
    public bool CanRead(string path)
    {
        if (OperatingSystem.IsWindows() || User == 0)
            return File.Exists(path);
        uint[] groups = Posix.GroupsOf(Name, Group);
        if (!Allows(path, groups, UnixFileMode.UserRead, UnixFileMode.GroupRead, UnixFileMode.OtherRead))
            return false;
        for (string? folder = Path.GetDirectoryName(path); folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (!Allows(folder, groups, UnixFileMode.UserExecute, UnixFileMode.GroupExecute, UnixFileMode.OtherExecute))
                return false;
        }
        return true;
    }

    // The first of owner, group and others that fits decides (path_resolution(7)).
    private bool Allows(string path, uint[] groups, UnixFileMode owner, UnixFileMode group, UnixFileMode others)
    {
        if (Posix.FactsOf(path, followLinks: true) is not { } facts)
            return false;
        (uint user, uint itsGroup) = Posix.OwnerOf(path);
        UnixFileMode needed = user == User ? owner : Array.IndexOf(groups, itsGroup) >= 0 ? group : others;
        return (facts.Permissions & needed) != 0;
    }
}
