using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Dumps;

namespace PgBackup.Logical.Load;

/// <summary>A dump to restore: of a repository, or a file or folder that anybody wrote.</summary>
public abstract class DumpSource : IAsyncDisposable
{
    /// <summary>The backup or the path, for messages.</summary>
    public abstract string Name { get; }

    /// <summary>What it holds.</summary>
    public virtual DumpContent Content => DumpContent.Database;

    /// <summary>The form.</summary>
    public abstract DumpFormat Format { get; }

    /// <summary>The dump's own database as the catalogue tells it; null for files, which say it in their table of contents at best.</summary>
    public virtual string? Database => null;

    /// <summary>Its bytes before compression; null when that is not known.</summary>
    internal virtual long? Size => null;

    /// <summary>What its database was created with, when that is known without reading the dump.</summary>
    internal virtual DatabaseTraits? Traits => null;

    /// <summary>How many tables the catalogue tells of.</summary>
    internal virtual int? TableCount => null;

    /// <summary>The uncompressed file or the folder, when pg_restore can read it where it is.</summary>
    internal virtual string? LocalPath => null;

    /// <summary>Opens a backup of a repository. Throws <c>BackupNotFound</c>, <c>DocumentInvalid</c>.</summary>
    public static async Task<DumpSource> FromRepositoryAsync(BackupRepository repository, string name, CancellationToken cancellationToken = default)
    {
        DumpManifest? manifest = DumpLayout.IsName(name) ? await DumpDocuments.TryReadManifestAsync(repository, name, cancellationToken).ConfigureAwait(false) : null;
        return new StoredDump(repository, manifest ?? throw PgErrors.BackupNotFound(name, repository.Location));
    }

    /// <summary>Opens a file or a folder, whose form is told by its content. Throws <c>DumpNotFound</c>, <c>DumpNotReadable</c>.</summary>
    public static async Task<DumpSource> FromPathAsync(string path, CancellationToken cancellationToken = default) =>
        await LocalDump.OpenAsync(path, cancellationToken).ConfigureAwait(false);

    /// <summary>The dump's bytes, decrypted and unpacked; damage is told before the end is. Not for the directory form.</summary>
    internal abstract Task<Stream> OpenAsync(CancellationToken cancellationToken);

    /// <summary>Puts it into a folder, as a file or folder that pg_restore reads in any order; returns its path.</summary>
    internal abstract Task<string> PlaceAsync(string folder, int throttleLimit, Action<long> onBytes, CancellationToken cancellationToken);

    /// <summary>Reads the table of contents; of the directory form from the folder that it lies in by now.</summary>
    internal async Task<ArchiveToc> ReadTocAsync(string? placed, CancellationToken cancellationToken)
    {
        Stream content = placed is null ? await OpenAsync(cancellationToken).ConfigureAwait(false)
            : OpenFile(Format == DumpFormat.Directory ? Path.Combine(placed, LocalDump.TocName) : placed);
        await using (content.ConfigureAwait(false))
        {
            if (Format != DumpFormat.Tar)
                return await ArchiveTocReader.ReadAsync(content, Name, cancellationToken).ConfigureAwait(false);
            var tar = new System.Formats.Tar.TarReader(content, leaveOpen: true);
            await using (tar.ConfigureAwait(false))
            {
                // pg_dump writes it first.
                return await tar.GetNextEntryAsync(cancellationToken: cancellationToken).ConfigureAwait(false) is { Name: LocalDump.TocName, DataStream: { } toc }
                    ? await ArchiveTocReader.ReadAsync(toc, Name, cancellationToken).ConfigureAwait(false)
                    : throw PgErrors.DumpNotReadable(Name, $"its first member is not {LocalDump.TocName}");
            }
        }
    }

    /// <inheritdoc/>
    public virtual ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    /// <summary>Opens a local file. Throws <c>DumpNotReadable</c>.</summary>
    private protected static Stream OpenFile(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.Asynchronous | FileOptions.SequentialScan);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.DumpNotReadable(path, error.Message, error);
        }
    }

    /// <summary>Writes a stream to a new file of a folder of one's own.</summary>
    private protected static async Task WriteFileAsync(Stream content, string path, Action<long> onBytes, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[256 << 10];
        FileStream file = ScratchFolder.Guard(path, () => new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1, FileOptions.Asynchronous));
        await using (file.ConfigureAwait(false))
        {
            int count;
            while ((count = await content.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
            {
                try
                {
                    await file.WriteAsync(buffer.AsMemory(0, count), cancellationToken).ConfigureAwait(false);
                }
                catch (IOException error)
                {
                    throw PgErrors.ScratchFolderFailed(Path.GetDirectoryName(path)!, error);
                }
                onBytes(count);
            }
        }
    }
}
