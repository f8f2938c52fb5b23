using System.Runtime.CompilerServices;
using PgBackup.Codecs;
using PgBackup.Storage;

namespace PgBackup.Repository;

/// <summary>An object of the WAL archive.</summary>
/// <param name="File">The WAL file it holds.</param>
/// <param name="Method">How it is compressed.</param>
/// <param name="Object">The object itself.</param>
public readonly record struct ArchivedWalFile(WalFileName File, CompressionMethod Method, StoredObject Object);

/// <summary>What is in the WAL archive, by file name whatever the extension.</summary>
public static class WalArchive
{
    /// <summary>
    /// The objects that hold the file, under every extension that a reader would try; in the order in which wal-g's fetch tries them, so that the
    /// first one is what a fetch would take. More than one is a fault that only a foreign pusher makes.
    /// </summary>
    public static async Task<IReadOnlyList<ArchivedWalFile>> FindAsync(BackupRepository repository, WalFileName file, CancellationToken cancellationToken = default)
    {
        var found = new List<ArchivedWalFile>(1);
        foreach (CompressionMethod method in CompressionNames.Readable)
        {
            string key = RepositoryLayout.WalKey(file.Name, method);
            if (await repository.Store.StatAsync(key, cancellationToken).ConfigureAwait(false) is { } item)
                found.Add(new ArchivedWalFile(file, method, item));
        }
        // wal-g 3.0.8 wrote uncompressed objects with a dot at the end.
        if (await repository.Store.StatAsync(RepositoryLayout.WalFolder + file.Name + ".", cancellationToken).ConfigureAwait(false) is { } dotted)
            found.Add(new ArchivedWalFile(file, CompressionMethod.None, dotted));
        return found;
    }

    /// <summary>Every WAL file in the archive, in no promised order; what is no WAL file is passed over.</summary>
    public static async IAsyncEnumerable<ArchivedWalFile> ListAsync(BackupRepository repository, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (StoredObject item in repository.Store.ListAsync(RepositoryLayout.WalFolder, recursive: false, cancellationToken).ConfigureAwait(false))
        {
            string name = item.Key[RepositoryLayout.WalFolder.Length..];
            if (WalFileName.TryParse(name, out WalFileName? bare))
                yield return new ArchivedWalFile(bare, CompressionMethod.None, item);
            else if (CompressionNames.TrySplit(name, out string stem, out CompressionMethod method) && WalFileName.TryParse(stem, out WalFileName? file))
                yield return new ArchivedWalFile(file, method, item);
        }
    }
}
