using PgBackup.Repository;
using PgBackup.Storage;

namespace PgBackup.Wal.Push;

/// <summary>Keeps objects that stand in the way of archiving but cannot be read: somebody may still want to look at them.</summary>
internal static class WalSetAside
{
    /// <summary>Where they are kept.</summary>
    public const string Folder = RepositoryLayout.PrivateFolder + "set_aside/";

    /// <summary>Copies the object away; returns the copy's key.</summary>
    public static async Task<string> CopyAsync(BackupRepository repository, ArchivedWalFile stored, CancellationToken cancellationToken)
    {
        string target = KeyFor(stored.Object.Key[RepositoryLayout.WalFolder.Length..], DateTimeOffset.UtcNow, Random.Shared.Next());
        await repository.Store.CopyAsync(stored.Object.Key, target, cancellationToken).ConfigureAwait(false);
        return target;
    }

    /// <summary>True when the object is still the one that was looked at.</summary>
    public static async Task<bool> IsUnchangedAsync(BackupRepository repository, ArchivedWalFile stored, CancellationToken cancellationToken) =>
        await repository.Store.StatAsync(stored.Object.Key, cancellationToken).ConfigureAwait(false) == stored.Object;

    // wal-g's delete takes any 24 upper-case hexadecimal digits in a row for a segment, and digits have no lower case.
    internal static string KeyFor(string name, DateTimeOffset now, int random)
    {
        string broken = name.Length >= WalSegmentName.Length && !name[..WalSegmentName.Length].Contains('.', StringComparison.Ordinal)
            ? $"{name[..8]}-{name[8..16]}-{name[16..]}"
            : name;
        return $"{Folder}{broken}.{now:yyyyMMdd'T'HHmmss'Z'}-{random:x8}";
    }
}
