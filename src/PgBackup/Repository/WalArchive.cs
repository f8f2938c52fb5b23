using System.Runtime.CompilerServices;
using System.Text;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.WalRecords;
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
    private const int HistoriesAtOnce = 8;

    /// <summary>
    /// The objects that hold the file, under every extension that a reader would try; in the order in which wal-g's fetch tries them, so that the
    /// first one is what a fetch would take. More than one is a fault that only a foreign pusher makes.
    /// </summary>
    public static async Task<IReadOnlyList<ArchivedWalFile>> FindAsync(BackupRepository repository, WalFileName file, CancellationToken cancellationToken = default)
    {
        (string Key, CompressionMethod Method)[] names =
        [
            .. CompressionNames.Readable.Select(m => (RepositoryLayout.WalKey(file.Name, m), m)),
            // wal-g 3.0.8 wrote uncompressed objects with a dot at the end.
            (RepositoryLayout.WalFolder + file.Name + ".", CompressionMethod.None),
        ];
        IReadOnlyList<StoredObject?> items = await repository.Store.StatAsync([.. names.Select(static name => name.Key)], cancellationToken).ConfigureAwait(false);
        var found = new List<ArchivedWalFile>(1);
        for (int i = 0; i < names.Length; i++)
        {
            if (items[i] is { } item)
                found.Add(new ArchivedWalFile(file, names[i].Method, item));
        }
        return found;
    }

    /// <summary>Every key under which the archive may hold a file.</summary>
    internal static IEnumerable<string> KeysOf(string fileName) =>
        [.. CompressionNames.Readable.Select(m => RepositoryLayout.WalKey(fileName, m)), RepositoryLayout.WalFolder + fileName + "."];

    /// <summary>
    /// The history of a timeline; null when the archive has no such file. Throws <c>TimelineHistoryInvalid</c>, <c>ObjectDamaged</c>, <c>EncryptionKeyInvalid</c>.
    /// </summary>
    public static async Task<TimelineHistory?> ReadHistoryAsync(BackupRepository repository, TimelineId timeline, CancellationToken cancellationToken = default)
    {
        WalFileName.TryParse(timeline.HistoryFileName, out WalFileName? file);
        IReadOnlyList<ArchivedWalFile> found = await FindAsync(repository, file!, cancellationToken).ConfigureAwait(false);
        if (found.Count == 0)
            return null;
        Stream source = await repository.OpenDecodedAsync(found[0].Object.Key, cancellationToken).ConfigureAwait(false);
        await using (source.ConfigureAwait(false))
        {
            using var reader = new StreamReader(source, Encoding.UTF8);
            return TimelineHistory.Parse(timeline, await reader.ReadToEndAsync(cancellationToken).ConfigureAwait(false));
        }
    }

    /// <summary>The histories that an inventory names, read side by side; what has gone since is left out. Throws as <see cref="ReadHistoryAsync"/>.</summary>
    public static async Task<IReadOnlyList<TimelineHistory>> ReadHistoriesAsync(BackupRepository repository, WalInventory inventory, CancellationToken cancellationToken = default)
    {
        var read = new TimelineHistory?[inventory.Histories.Count];
        var options = new ParallelOptions { MaxDegreeOfParallelism = HistoriesAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, read.Length, options, async (i, token) =>
            read[i] = await ReadHistoryAsync(repository, inventory.Histories[i], token).ConfigureAwait(false)).ConfigureAwait(false);
        return [.. read.OfType<TimelineHistory>()];
    }

    /// <summary>What the first page of an archived segment says: the cluster, the size, the server's version. Null when it cannot be read, or is gone: then it says nothing.</summary>
    public static async Task<WalSegmentHeader?> TryReadHeaderAsync(BackupRepository repository, string key, CancellationToken cancellationToken = default)
    {
        byte[] head = new byte[WalPageHeader.LongSize];
        try
        {
            Stream source = await repository.OpenDecodedAsync(key, cancellationToken).ConfigureAwait(false);
            await using (source.ConfigureAwait(false))
            {
                int read = await source.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
                return WalSegmentHeader.TryRead(head.AsSpan(0, read));
            }
        }
        catch (PgBackupException error) when (error.Id is "ObjectNotFound" or "ObjectDamaged" or "EncryptionKeyInvalid")
        {
            return null;
        }
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
