using System.Runtime.CompilerServices;
using System.Text.Json;
using PgBackup.Errors;
using PgBackup.Repository.Documents;

namespace PgBackup.Repository;

/// <summary>Reads <c>pgbackup_index.json.zst</c> one part at a time, in the order in which it was written.</summary>
public sealed class PartIndexReader : IAsyncDisposable
{
    private const int LongestHeader = 64 * 1024;

    private readonly string _location;
    private readonly string _key;
    private readonly Stream _source;

    private PartIndexReader(string location, string key, Stream source, IndexHeader header)
    {
        _location = location;
        _key = key;
        _source = source;
        Header = header;
    }

    /// <summary>The first line.</summary>
    public IndexHeader Header { get; }

    /// <summary>
    /// Opens a backup's index; null when it has none, or one of a version that this code does not know (its parts are then read by streaming).
    /// Throws <c>DocumentInvalid</c>, <c>ObjectDamaged</c>, <c>EncryptionKeyInvalid</c>.
    /// </summary>
    public static async Task<PartIndexReader?> TryOpenAsync(BackupRepository repository, BackupName name, CancellationToken cancellationToken = default)
    {
        string key = RepositoryLayout.IndexKey(name);
        Stream decoded;
        try
        {
            decoded = await repository.OpenDecodedAsync(key, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id == "ObjectNotFound")
        {
            return null;
        }
        var source = new BufferedStream(decoded, 256 * 1024);
        try
        {
            byte[] line = await ReadLineAsync(source, cancellationToken).ConfigureAwait(false);
            IndexHeader? header = JsonSerializer.Deserialize(line, RepositoryJson.Default.IndexHeader);
            if (header is null || header.Version < 1)
                throw new JsonException("Its first line is no header.");
            if (header.Version <= IndexHeader.CurrentVersion)
            {
                if (header.Backup != name.Text)
                    throw new JsonException($"It belongs to the backup '{header.Backup}'.");
                return new PartIndexReader(repository.Location, key, source, header);
            }
            await source.DisposeAsync().ConfigureAwait(false);
            return null;
        }
        catch (Exception error)
        {
            await source.DisposeAsync().ConfigureAwait(false);
            if (error is JsonException invalid)
                throw PgErrors.DocumentInvalid(repository.Location, key, invalid);
            throw;
        }
    }

    /// <summary>The parts; may be enumerated once. Throws <c>DocumentInvalid</c> also when fewer come than the header promised.</summary>
    public async IAsyncEnumerable<IndexedPart> ReadPartsAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        int count = 0;
        IAsyncEnumerator<IndexedPart?> parts = JsonSerializer
            .DeserializeAsyncEnumerable(_source, RepositoryJson.Default.IndexedPart, topLevelValues: true, cancellationToken)
            .GetAsyncEnumerator(cancellationToken);
        await using (parts.ConfigureAwait(false))
        {
            while (await NextAsync(parts).ConfigureAwait(false) is { } part)
            {
                count++;
                yield return part;
            }
        }
        if (count != Header.PartCount)
            throw PgErrors.DocumentInvalid(_location, _key, new JsonException($"It promises {Header.PartCount} parts and lists {count}."));
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _source.DisposeAsync();

    private async Task<IndexedPart?> NextAsync(IAsyncEnumerator<IndexedPart?> parts)
    {
        try
        {
            if (!await parts.MoveNextAsync().ConfigureAwait(false))
                return null;
            IndexedPart part = parts.Current ?? throw new JsonException("A line is empty.");
            Validate(part);
            return part;
        }
        catch (JsonException error)
        {
            throw PgErrors.DocumentInvalid(_location, _key, error);
        }
    }

    private static void Validate(IndexedPart part)
    {
        if (part.Name is null || part.Frames is null || part.Members is null)
            throw new JsonException("A part lacks its name, frames or members.");
        long plain = 0, stored = 0;
        foreach (IndexedFrame frame in part.Frames)
        {
            // A codec that is not cut into frames may hold back a frame's bytes until the next.
            if (frame is not { Length: >= 0, PlainLength: >= 0, Hash: not null } || (part.RandomAccess && frame.Length == 0))
                throw new JsonException($"A frame of '{part.Name}' has no length or no checksum.");
            plain += frame.PlainLength;
            stored += frame.Length;
        }
        if (part.RandomAccess && stored != part.Size)
            throw new JsonException($"The frames of '{part.Name}' are {stored} bytes together, the part is {part.Size}.");
        long end = 0;
        foreach (IndexedMember member in part.Members)
        {
            if (member is not { Name: not null, Size: >= 0 } || member.Offset < end || member.Offset > plain || member.Size > plain - member.Offset)
                throw new JsonException($"The member '{member?.Name}' of '{part.Name}' lies outside of its part or within another.");
            end = member.Offset + member.Size;
        }
    }

    private static async Task<byte[]> ReadLineAsync(Stream source, CancellationToken cancellationToken)
    {
        var line = new List<byte>(256);
        byte[] one = new byte[1];
        while (await source.ReadAsync(one, cancellationToken).ConfigureAwait(false) == 1 && one[0] != '\n')
        {
            line.Add(one[0]);
            if (line.Count > LongestHeader)
                throw new JsonException("Its first line is no header.");
        }
        return [.. line];
    }
}
