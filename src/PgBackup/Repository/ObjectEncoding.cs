using PgBackup.Codecs;
using PgBackup.Storage;

namespace PgBackup.Repository;

/// <summary>Writes objects as the repository wants them: compressed as their name says, then encrypted when there is a key.</summary>
public static class ObjectEncoding
{
    /// <summary>
    /// Puts what <paramref name="write"/> produces under a key, compressed as the key's extension says and encrypted when there is a key, in bounded memory.
    /// </summary>
    public static async Task PutEncodedAsync(
        BackupRepository repository, string key, CompressionMethod method, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken = default)
    {
        ObjectWriter writer = await repository.Store.CreateAsync(key, PutCondition.None, cancellationToken).ConfigureAwait(false);
        await using (writer.ConfigureAwait(false))
        {
            var target = new ObjectWriterStream(writer, cancellationToken);
            Stream sealedTarget = repository.Key is null ? target : new SecretStreamWriter(target, repository.Key, leaveOpen: true);
            Stream compressed = StreamEncoder.Open(sealedTarget, method, leaveOpen: true);
            await using (compressed.ConfigureAwait(false))
                await write(compressed, cancellationToken).ConfigureAwait(false);
            if (sealedTarget != target)
                await sealedTarget.DisposeAsync().ConfigureAwait(false);
            await target.FlushAsync(cancellationToken).ConfigureAwait(false);
            await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
