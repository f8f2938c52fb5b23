using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Dumps;
using PgBackup.Storage;

namespace PgBackup.Logical.Dump;

/// <summary>The objects of a dump, and the arguments that it was made with.</summary>
internal sealed record DumpObjects(IReadOnlyList<DumpObject> Objects, IReadOnlyList<string> Arguments);

/// <summary>A logical backup in the making: its objects in the repository, which go again when it fails.</summary>
internal sealed class DumpFolder(BackupRepository repository, string name, IOperationLog log)
{
    // Of a stream as long as a database's the first level is what keeps up with pg_dump.
    private const int StreamLevel = 1;

    private readonly List<string> _keys = [];
    private readonly Lock _gate = new();

    public BackupRepository Repository => repository;

    public string Name => name;

    /// <summary>Stores what pg_dump writes to its standard output as one object.</summary>
    public async Task<DumpObjects> StreamAsync(DumpOptions options, DumpProgram program, CancellationToken cancellationToken)
    {
        CompressionMethod method = Method(options);
        IReadOnlyList<string> arguments = options.EffectiveFormat == DumpFormat.Custom ? program.Arguments("--compress=0") : program.Arguments();
        string stem = options.Content == DumpContent.Globals ? "globals.sql" : options.EffectiveFormat switch
        {
            DumpFormat.Plain => "dump.sql",
            DumpFormat.Tar => "dump.tar",
            _ => "dump.dump",
        };
        DumpObject item = await PutAsync(stem + CompressionNames.Extension(method), async (target, token) =>
        {
            ParallelEncoder encoder = ParallelEncoder.Open(target, method, Level(options, method), options.Workers);
            await using (encoder.ConfigureAwait(false))
            {
                DumpedBytes dumped = await program.StreamAsync(arguments, encoder, token).ConfigureAwait(false);
                await encoder.CompleteAsync(token).ConfigureAwait(false);
                return dumped;
            }
        }, cancellationToken).ConfigureAwait(false);
        return new DumpObjects([item], arguments);
    }

    /// <summary>Stores an object: what <paramref name="write"/> writes is encrypted where there is a key, and appears when all of it was written.</summary>
    public async Task<DumpObject> PutAsync(string relativeKey, Func<Stream, CancellationToken, Task<DumpedBytes>> write, CancellationToken cancellationToken)
    {
        string key = Track(DumpLayout.FolderOf(name) + relativeKey);
        ObjectWriter writer = await repository.Store.CreateAsync(key, PutCondition.None, cancellationToken).ConfigureAwait(false);
        await using (writer.ConfigureAwait(false))
        {
            var target = new ObjectWriterStream(writer, cancellationToken);
            DumpedBytes written;
            if (repository.Key is null)
                written = await write(target, cancellationToken).ConfigureAwait(false);
            else
            {
                var sealing = new SecretStreamWriter(target, repository.Key, leaveOpen: true);
                written = await write(sealing, cancellationToken).ConfigureAwait(false);
                await sealing.DisposeAsync().ConfigureAwait(false);
            }
            await target.FlushAsync(cancellationToken).ConfigureAwait(false);
            await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
            return new DumpObject(relativeKey, target.Written, written.Bytes, written.Hash);
        }
    }

    public Task PutTablesAsync(DumpTables tables, CancellationToken cancellationToken)
    {
        Track(DumpLayout.TablesKey(name));
        return DumpDocuments.WriteTablesAsync(repository, name, tables, cancellationToken);
    }

    /// <summary>Writes the manifest: the backup exists.</summary>
    public Task PublishAsync(DumpManifest manifest, CancellationToken cancellationToken)
    {
        Track(DumpLayout.ManifestKey(name));
        return DumpDocuments.WriteManifestAsync(repository, manifest, cancellationToken);
    }

    /// <summary>Removes what was stored; not stopped by anything. What cannot be removed is told: without its manifest it is no backup.</summary>
    public async Task RemoveAsync()
    {
        try
        {
            // The manifest first: at no time may one be listed that lacks something.
            foreach (string key in _keys.AsEnumerable().Reverse())
                await repository.Store.DeleteAsync([key], CancellationToken.None).ConfigureAwait(false);
        }
        catch (PgBackupException error)
        {
            log.Warning($"The objects of the unfinished backup '{name}' in '{repository.Location}' could not be removed: {error.Message}");
        }
    }

    public CompressionMethod Method(DumpOptions options) => options.Compression ?? repository.Compression;

    private int? Level(DumpOptions options, CompressionMethod method) =>
        options.CompressionLevel
        ?? (method == repository.Compression ? repository.CompressionLevel : null)
        ?? (method == CompressionMethod.Zstd ? StreamLevel : null);

    private string Track(string key)
    {
        lock (_gate)
            _keys.Add(key);
        return key;
    }
}
