using System.Formats.Tar;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Dumps;

namespace PgBackup.Logical.Load;

/// <summary>A logical backup of a repository. Each object's checksum is compared with the manifest's before its end is told.</summary>
internal sealed class StoredDump(BackupRepository repository, DumpManifest manifest) : DumpSource
{
    public override string Name => manifest.Name;

    public override DumpContent Content => manifest.Content;

    public override DumpFormat Format => manifest.Format;

    public override string? Database => manifest.Database;

    internal override long? Size => manifest.Objects.Sum(o => o.UncompressedSize);

    internal override DatabaseTraits? Traits => DatabaseTraits.FromManifest(manifest);

    internal override int? TableCount => manifest.TableCount;

    internal override Task<Stream> OpenAsync(CancellationToken cancellationToken) => manifest.Objects is [var only]
        ? OpenAsync(only, cancellationToken)
        : throw PgErrors.DumpNotReadable(Name, $"its manifest tells of {manifest.Objects.Count} objects where there is one");

    internal override async Task<string> PlaceAsync(string folder, int throttleLimit, Action<long> onBytes, CancellationToken cancellationToken)
    {
        string target = Path.Combine(folder, "dump");
        if (Format != DumpFormat.Directory)
        {
            Stream content = await OpenAsync(cancellationToken).ConfigureAwait(false);
            await using (content.ConfigureAwait(false))
                await WriteFileAsync(content, target, onBytes, cancellationToken).ConfigureAwait(false);
            return target;
        }
        ScratchFolder.Guard(target, () => Directory.CreateDirectory(target));
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = throttleLimit, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(manifest.Objects, parallel, async (item, token) => await UnpackAsync(item, target, onBytes, token).ConfigureAwait(false)).ConfigureAwait(false);
        return target;
    }

    private async Task UnpackAsync(DumpObject item, string target, Action<long> onBytes, CancellationToken cancellationToken)
    {
        Stream content = await OpenAsync(item, cancellationToken).ConfigureAwait(false);
        await using (content.ConfigureAwait(false))
        {
            var tar = new TarReader(content, leaveOpen: true);
            await using (tar.ConfigureAwait(false))
            {
                try
                {
                    while (await tar.GetNextEntryAsync(cancellationToken: cancellationToken).ConfigureAwait(false) is { } entry)
                    {
                        string name = entry.Name.StartsWith("./", StringComparison.Ordinal) ? entry.Name[2..] : entry.Name;
                        if (entry.EntryType is TarEntryType.Directory)
                            continue;
                        // pg_dump's folder has files and nothing else; whatever else it says leads out of the folder.
                        if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile) || name is "" or "." or ".." || name.AsSpan().ContainsAny('/', '\\', '\0'))
                            throw PgErrors.ObjectDamaged(item.Key, $"it holds '{name}', which is no file of a dump's folder");
                        await WriteFileAsync(entry.DataStream ?? Stream.Null, Path.Combine(target, name), onBytes, cancellationToken).ConfigureAwait(false);
                    }
                }
                catch (InvalidDataException error)
                {
                    throw PgErrors.ObjectDamaged(item.Key, "it is no tar", error);
                }
            }
            await content.CopyToAsync(Stream.Null, cancellationToken).ConfigureAwait(false); // The end, where the checksum is compared.
        }
    }

    private async Task<Stream> OpenAsync(DumpObject item, CancellationToken cancellationToken)
    {
        string key = DumpLayout.ObjectKey(Name, item);
        return new CheckedStream(await repository.OpenDecodedAsync(key, cancellationToken).ConfigureAwait(false), item, key);
    }
}
