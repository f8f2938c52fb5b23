using PgBackup.Postgres.WalRecords;

namespace PgBackup.Repository;

/// <summary>The archive's segments, decrypted and decompressed, for a <see cref="WalRecordReader"/>.</summary>
public sealed class ArchivedWalSource(BackupRepository repository, WalInventory inventory) : IWalSegmentSource
{
    /// <inheritdoc/>
    public async Task<Stream?> OpenAsync(WalSegmentName segment, CancellationToken cancellationToken) =>
        inventory.KeyOf(segment) is { } key ? await repository.OpenDecodedAsync(key, cancellationToken).ConfigureAwait(false) : null;
}
