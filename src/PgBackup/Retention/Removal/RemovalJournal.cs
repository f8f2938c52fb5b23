using System.Text.Json;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Repository.Dumps;
using PgBackup.Storage;

namespace PgBackup.Retention.Removal;

/// <summary>
/// Which backups a run is about to remove. When it is killed between a sentinel and the last object of its backup, nothing lists what is left; the next run that removes anything reads it here, and finishes.
/// </summary>
internal static class RemovalJournal
{
    /// <summary>Where it lies. The names in it are no part of any key.</summary>
    public const string Key = RepositoryLayout.PrivateFolder + "removal.json";

    /// <summary>Writes it, durable when this returns.</summary>
    public static Task WriteAsync(BackupRepository repository, IReadOnlyList<string> backups, CancellationToken cancellationToken) => repository.Store.PutAsync(
        Key, JsonSerializer.SerializeToUtf8Bytes(new RemovalRecord(DateTimeOffset.UtcNow, backups), RepositoryJson.Default.RemovalRecord), PutCondition.None, cancellationToken);

    /// <summary>Removes it.</summary>
    public static Task DeleteAsync(BackupRepository repository, CancellationToken cancellationToken) => repository.Store.DeleteAsync([Key], cancellationToken);

    /// <summary>
    /// Finishes what a run that died has begun: of the backups that it names, those without a sentinel lose their objects. Only under a <see cref="MaintenanceLease"/>. Returns how many objects went.
    /// </summary>
    public static async Task<int> FinishAsync(BackupRepository repository, IOperationLog log, CancellationToken cancellationToken)
    {
        if (await repository.Store.TryReadAllAsync(Key, cancellationToken).ConfigureAwait(false) is not { } content)
            return 0;
        int objects = 0;
        foreach (string name in Parse(content, repository))
        {
            if (await repository.Store.StatAsync(RemovableBackup.MarkerOf(name), cancellationToken).ConfigureAwait(false) is not null)
                continue; // It did not come to that: the backup is whole, and is judged anew.
            int removed = await RemovableBackup.ClearAsync(repository, name, cancellationToken).ConfigureAwait(false);
            if (removed > 0)
                log.Information($"{removed} objects of {name} were removed: an earlier run was stopped while it removed that backup.");
            objects += removed;
        }
        await DeleteAsync(repository, cancellationToken).ConfigureAwait(false);
        return objects;
    }

    private static IReadOnlyList<string> Parse(byte[] content, BackupRepository repository)
    {
        try
        {
            RemovalRecord record = JsonSerializer.Deserialize(content, RepositoryJson.Default.RemovalRecord) ?? throw new JsonException("The document is empty.");
            return [.. (record.Backups ?? []).Where(static name => BackupName.TryParse(name, out _) || DumpLayout.IsName(name))];
        }
        catch (JsonException error)
        {
            throw PgErrors.DocumentInvalid(repository.Location, Key, error);
        }
    }
}
