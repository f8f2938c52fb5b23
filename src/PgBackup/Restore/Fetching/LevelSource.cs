using PgBackup.Errors;
using PgBackup.Repository;

namespace PgBackup.Restore.Fetching;

/// <summary>What one backup of a chain is read from: its parts as they are listed, and its index where it has one.</summary>
internal sealed class LevelSource : IAsyncDisposable
{
    private LevelSource(BackupParts parts, PartIndexReader? index)
    {
        Parts = parts;
        Index = index;
    }

    /// <summary>The parts.</summary>
    public BackupParts Parts { get; }

    /// <summary>The index; null when there is none that can be read.</summary>
    public PartIndexReader? Index { get; }

    /// <summary>Lists the parts and opens the index. Throws <c>EncryptionKeyInvalid</c>, and what the store throws.</summary>
    public static async Task<LevelSource> OpenAsync(BackupRepository repository, BackupName backup, FetchProgress progress, CancellationToken cancellationToken)
    {
        Task<PartIndexReader?> opening = TryOpenIndexAsync(repository, backup, progress, cancellationToken);
        try
        {
            BackupParts parts = await BackupParts.ListAsync(repository, backup, cancellationToken).ConfigureAwait(false);
            return new LevelSource(parts, await opening.ConfigureAwait(false));
        }
        catch
        {
            await ((Task)opening).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (opening.IsCompletedSuccessfully && await opening.ConfigureAwait(false) is { } index)
                await index.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Closes one that is being opened and that nobody needs any more.</summary>
    public static async Task DiscardAsync(Task<LevelSource> opening)
    {
        await ((Task)opening).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (opening.IsCompletedSuccessfully)
            await (await opening.ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Index?.DisposeAsync() ?? ValueTask.CompletedTask;

    private static async Task<PartIndexReader?> TryOpenIndexAsync(
        BackupRepository repository, BackupName backup, FetchProgress progress, CancellationToken cancellationToken)
    {
        try
        {
            return await PartIndexReader.TryOpenAsync(repository, backup, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id is "DocumentInvalid" or "ObjectDamaged")
        {
            // The parts say everything themselves; the index only makes it faster, and each codec has checksums of its own.
            progress.Warn($"The index of '{backup}' is damaged ({error.Message}); its parts were read without it.");
            return null;
        }
    }
}
