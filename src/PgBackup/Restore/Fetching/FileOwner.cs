using PgBackup.Errors;
using PgBackup.Platform;

namespace PgBackup.Restore.Fetching;

/// <summary>The account that gets the files and runs the server.</summary>
/// <param name="Name">Its name.</param>
/// <param name="User">Its user id.</param>
/// <param name="Group">Its group id.</param>
internal sealed record FileOwner(string Name, uint User, uint Group)
{
    /// <summary>
    /// Null when this does not run as root: files are then its own account's. As root: the account that was named, or the owner of the existing destination, of the
    /// source's data directory, or <c>postgres</c>. Throws <c>OwnerInvalid</c>.
    /// </summary>
    public static FileOwner? Choose(string? named, string destination, string? source)
    {
        if (!Posix.IsRoot)
        {
            return named is null || named == Environment.UserName
                ? null
                : throw PgErrors.OwnerInvalid(named, $"only root may give files away, and this runs as {Environment.UserName}.");
        }
        if (named is not null)
            return Account(named) ?? throw PgErrors.OwnerInvalid(named, "there is no such account.");
        foreach (string? folder in new[] { destination, source })
        {
            if (folder is null || !Directory.Exists(folder))
                continue;
            (uint user, uint group) = Posix.OwnerOf(folder);
            if (user != 0)
                return new FileOwner(Posix.AccountName(user) ?? throw PgErrors.OwnerInvalid($"user {user}", "the account has no name."), user, group);
        }
        return Account("postgres") ?? throw PgErrors.OwnerInvalid("postgres", "there is no such account, and PostgreSQL refuses to run as root.");
    }

    private static FileOwner? Account(string name)
    {
        if (Posix.AccountNamed(name) is not { } account)
            return null;
        return account.User == 0 ? throw PgErrors.OwnerInvalid(name, "PostgreSQL refuses to run as root.") : new FileOwner(name, account.User, account.Group);
    }
}
