using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Storage;

namespace PgBackup.Restore.Fetching;

/// <summary>What fetching a chain came to.</summary>
/// <param name="Files">The tar members written.</param>
/// <param name="Bytes">Their bytes.</param>
/// <param name="Fetched">The bytes of files that came from the repository.</param>
/// <param name="Kept">The bytes of files that were there already.</param>
/// <param name="Warnings">What needs attention.</param>
internal sealed record FetchResult(long Files, long Bytes, long Fetched, long Kept, IReadOnlyList<string> Warnings);

/// <summary>
/// Brings the files of a chain of backups into a destination: the newest backup first, with its labels and its control file, the full one last, so that each page is written once
/// (<see cref="PageLedger"/>). Increments that can be fetched by frames wait until their file's base comes, and are written with it (<see cref="FileOverlay"/>); and then the proof that every file came.
/// </summary>
internal sealed class BackupFetcher(BackupRepository repository, RestoreDestination destination, int workers, FetchProgress progress, IOperationLog log)
{
    /// <summary>Which files are wanted; null for all.</summary>
    public FileChoice? Choice { get; init; }

    /// <summary>
    /// Fetches the chain, the full backup's name first. Throws <c>BackupDamaged</c>, <c>ChainBroken</c>, <c>ObjectMissing</c>, <c>MemberNameInvalid</c>,
    /// <c>EncryptionKeyInvalid</c>, <c>RestoreWriteFailed</c>; what was written so far is then left, unable to start.
    /// </summary>
    public async Task<FetchResult> FetchAsync(IReadOnlyList<BackupName> chain, CancellationToken cancellationToken)
    {
        // Begun beside the reading of the lists: each costs a store at a distance round trips.
        Task<LevelSource> opening = LevelSource.OpenAsync(repository, chain[^1], progress, cancellationToken);
        WantedFiles wanted;
        try
        {
            wanted = await WantedFiles.ReadAsync(repository, chain, Choice is null ? null : LeaveOut, cancellationToken).ConfigureAwait(false);
            if (destination.InPlace)
            {
                new LeftoverRemoval(destination, wanted, progress).Run(cancellationToken);
                destination.MakeFolders();
            }
        }
        catch
        {
            await LevelSource.DiscardAsync(opening).ConfigureAwait(false);
            throw;
        }
        using var frames = new IncrementFrames(repository);
        for (int level = chain.Count - 1; level >= 0; level--)
        {
            log.Verbose($"Restoring the files of '{chain[level]}'.");
            LevelSource source = await (level == chain.Count - 1 ? opening : LevelSource.OpenAsync(repository, chain[level], progress, cancellationToken)).ConfigureAwait(false);
            await using (source.ConfigureAwait(false))
                await FetchLevelAsync(source, level, level == chain.Count - 1, wanted, frames, cancellationToken).ConfigureAwait(false);
        }
        await RequireAllAsync(chain, wanted, cancellationToken).ConfigureAwait(false);
        return new FetchResult(progress.Files, progress.Bytes, progress.Fetched, progress.Kept, progress.Warnings);
    }

    private async Task FetchLevelAsync(
        LevelSource source, int level, bool isTarget, WantedFiles wanted, IncrementFrames frames, CancellationToken cancellationToken)
    {
        BackupParts parts = source.Parts;
        parts.Require(repository.Location, isTarget);
        var writer = new MemberWriter(repository, parts.Backup, level, isTarget, parts.Label is not null, wanted, frames, destination, progress);
        var streamed = new Dictionary<string, StoredObject>(StringComparer.Ordinal);
        foreach (StoredObject part in parts.Data)
            streamed[part.Key] = part;

        // Linked, so that the first failure ends all the work.
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        if (destination.InPlace && source.Index is null)
            progress.Warn($"'{parts.Backup}' has no index: what the files in place hold of it cannot be known, and all of it was fetched.");
        if (source.Index is { } index)
            await FetchIndexedAsync(index, parts.Backup, streamed, writer, stop).ConfigureAwait(false);
        var options = new ParallelOptions { MaxDegreeOfParallelism = workers, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(streamed.Keys, options, async (key, token) =>
            await StreamedPart.FetchAsync(repository, key, null, writer, false, token).ConfigureAwait(false)).ConfigureAwait(false);
        if (!isTarget)
            return;
        IEnumerable<StoredObject> specials = new[] { parts.Label, parts.Control }.OfType<StoredObject>();
        await Parallel.ForEachAsync(specials, options, async (part, token) =>
            await StreamedPart.FetchAsync(repository, part.Key, null, writer, true, token).ConfigureAwait(false)).ConfigureAwait(false);
    }

    private async Task FetchIndexedAsync(
        PartIndexReader index, BackupName backup, Dictionary<string, StoredObject> streamed, MemberWriter writer, CancellationTokenSource stop)
    {
        IndexedFetch fetch = new(repository, workers);
        await using (fetch.ConfigureAwait(false))
        {
            Task working = fetch.RunAsync(stop);
            try
            {
                await foreach (IndexedPart part in index.ReadPartsAsync(stop.Token).ConfigureAwait(false))
                    await FetchPartAsync(fetch, part, backup, streamed, writer, stop.Token).ConfigureAwait(false);
                fetch.Complete();
            }
            catch (Exception error)
            {
                fetch.Complete(error);
                await stop.CancelAsync().ConfigureAwait(false);
                await working.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                // A worker that failed has stopped the loop above, and has more to tell than that it was stopped.
                if (!working.IsFaulted)
                    throw;
            }
            await working.ConfigureAwait(false);
        }
    }

    private async Task FetchPartAsync(
        IndexedFetch fetch, IndexedPart part, BackupName backup, Dictionary<string, StoredObject> streamed, MemberWriter writer, CancellationToken cancellationToken)
    {
        string key = RepositoryLayout.PartFolder(backup) + part.Name;
        if (!streamed.Remove(key, out StoredObject stored))
        {
            if (BackupParts.IsSpecial(part.Name))
                return;
            throw PgErrors.ObjectMissing(repository.Location, backup.Text, key);
        }
        if (stored.Size != part.Size)
            throw writer.Damaged($"{part.Name} has {stored.Size} bytes, its index says {part.Size}.");
        // Of a part that can only be read from its beginning all would be read.
        if (Choice is null || part.Members.Any(member => writer.IsWanted(member.Name)))
            await fetch.AddAsync(key, part, writer, cancellationToken).ConfigureAwait(false);
    }

    private bool LeaveOut(FileMetadata file)
    {
        if (MemberPath.Normalize(file.Name) is not { } relative || Choice!.Includes(relative))
            return false;
        if (destination.IsOfAnotherVersion(relative))
            return true;
        if (Choice.FolderFor(relative) is { } folder)
            destination.CreateFolder(folder, default);
        if (file.Size is { } size && Choice.KeepsSize(relative, size))
            destination.CreatePlaceholder(relative, size);
        return true;
    }

    private async Task RequireAllAsync(IReadOnlyList<BackupName> chain, WantedFiles wanted, CancellationToken cancellationToken)
    {
        if (!File.Exists(destination.PathOf(RestoreDestination.PendingControlFile)))
            throw PgErrors.BackupDamaged(repository.Location, chain[^1].Text, "none of its parts holds global/pg_control.");
        int owed = wanted.CountOwed();
        if (owed == 0)
            return;
        var names = new List<string>();
        await FilesMetadataReader.TryReadAsync(repository, RepositoryLayout.FilesMetadataKey(chain[^1]), file =>
        {
            if (names.Count < 5 && wanted.IsOwed(file.Name))
                names.Add(file.Name);
        }, null, cancellationToken).ConfigureAwait(false);
        throw PgErrors.BackupDamaged(
            repository.Location, chain[^1].Text, $"{owed} of its files are in none of its parts, among them {string.Join(", ", names)}.");
    }
}
