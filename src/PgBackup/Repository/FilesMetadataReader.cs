using System.Buffers;
using System.Text.Json;
using PgBackup.Errors;
using PgBackup.Repository.Documents;

namespace PgBackup.Repository;

/// <summary>What a backup's <c>files_metadata.json</c> says of one file or folder.</summary>
/// <param name="Name">The name of its tar member.</param>
/// <param name="IsIncremented">Stored as the pages that changed since the parent.</param>
/// <param name="IsSkipped">Unchanged since the parent and in no part of this backup.</param>
/// <param name="Modified">Its modification time as it stands there (RFC 3339); null when it is not said.</param>
/// <param name="Size">The bytes of the file itself, which PgBackup alone writes; null when they are not said.</param>
/// <param name="EmptyBlocks">The pages that were never used, which PgBackup alone writes; null when there are none, or none are said.</param>
/// <param name="AllVisibleBlocks">The pages that are marked all-visible (<see cref="BlockBitmap"/>), which PgBackup alone writes; null when they are not said.</param>
public readonly record struct FileMetadata(
    string Name, bool IsIncremented, bool IsSkipped, string? Modified = null, long? Size = null, BlockRanges? EmptyBlocks = null, string? AllVisibleBlocks = null);

/// <summary>
/// Reads WAL-G's <c>files_metadata.json</c> as it streams by: the document of a big cluster is larger than a gigabyte. Understands the <c>Files</c> and
/// <c>TarFileSets</c> of old sentinels too, which have the same shape.
/// </summary>
public sealed class FilesMetadataReader
{
    private const int FirstBuffer = 256 * 1024;
    private const int LargestToken = 16 << 20;

    private readonly Action<FileMetadata> _onFile;
    private readonly Action<string>? _onPart;
    private readonly Action<string, uint>? _onDatabase;
    private Section _section;
    private string? _name;
    private string? _database;
    private Flag _flag;
    private bool _isIncremented;
    private bool _isSkipped;
    private string? _modified;
    private long? _size;
    private string? _visible;
    private readonly List<uint> _empty = [];

    private FilesMetadataReader(Action<FileMetadata> onFile, Action<string>? onPart, Action<string, uint>? onDatabase)
    {
        _onFile = onFile;
        _onPart = onPart;
        _onDatabase = onDatabase;
    }

    private enum Section
    {
        Other,
        Files,
        TarFileSets,
        Databases,
    }

    private enum Flag
    {
        None,
        Incremented,
        Skipped,
        Modified,
        Size,
        EmptyBlocks,
        AllVisibleBlocks,
        DatabaseOid,
    }

    /// <summary>
    /// Reads the document under <paramref name="key"/>: calls <paramref name="onFile"/> for each file and <paramref name="onPart"/> for the name of each tar part.
    /// False when there is no such object. Throws <c>DocumentInvalid</c>.
    /// </summary>
    public static Task<bool> TryReadAsync(
        BackupRepository repository, string key, Action<FileMetadata> onFile, Action<string>? onPart = null, CancellationToken cancellationToken = default) =>
        TryReadAsync(repository, key, new FilesMetadataReader(onFile, onPart, null), cancellationToken);

    /// <summary>
    /// The same, and calls <paramref name="onDatabase"/> with the name and the OID of each database that the document lists (<c>DatabasesByNames</c>, WAL-G from 2.0 on).
    /// </summary>
    public static Task<bool> TryReadDatabasesAsync(
        BackupRepository repository, string key, Action<FileMetadata> onFile, Action<string, uint> onDatabase, CancellationToken cancellationToken) =>
        TryReadAsync(repository, key, new FilesMetadataReader(onFile, null, onDatabase), cancellationToken);

    private static async Task<bool> TryReadAsync(BackupRepository repository, string key, FilesMetadataReader reader, CancellationToken cancellationToken)
    {
        Stream source;
        try
        {
            source = await repository.Store.OpenReadAsync(key, cancellationToken: cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id == "ObjectNotFound")
        {
            return false;
        }
        await using (source.ConfigureAwait(false))
        {
            try
            {
                await reader.ReadAsync(source, cancellationToken).ConfigureAwait(false);
                return true;
            }
            catch (Exception error) when (error is JsonException or InvalidOperationException) // The second is what a name that is no UTF-8 raises.
            {
                throw PgErrors.DocumentInvalid(repository.Location, key, error);
            }
        }
    }

    private async Task ReadAsync(Stream source, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(FirstBuffer);
        try
        {
            int filled = 0;
            var state = new JsonReaderState();
            for (bool isFinal = false; !isFinal;)
            {
                if (filled == buffer.Length)
                    buffer = Grow(buffer);
                int read = await source.ReadAsync(buffer.AsMemory(filled), cancellationToken).ConfigureAwait(false);
                filled += read;
                isFinal = read == 0;
                int consumed = Consume(buffer.AsSpan(0, filled), isFinal, ref state);
                buffer.AsSpan(consumed, filled - consumed).CopyTo(buffer);
                filled -= consumed;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static byte[] Grow(byte[] buffer)
    {
        if (buffer.Length > LargestToken)
            throw new JsonException("A value is longer than any name can be.");
        byte[] larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
        buffer.CopyTo(larger, 0);
        ArrayPool<byte>.Shared.Return(buffer);
        return larger;
    }

    private int Consume(ReadOnlySpan<byte> data, bool isFinal, ref JsonReaderState state)
    {
        var reader = new Utf8JsonReader(data, isFinal, state);
        while (reader.Read())
            Take(ref reader);
        state = reader.CurrentState;
        return (int)reader.BytesConsumed;
    }

    private void Take(ref Utf8JsonReader reader)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.PropertyName:
                TakeName(ref reader);
                break;
            case JsonTokenType.True when _flag == Flag.Incremented:
                _isIncremented = true;
                break;
            case JsonTokenType.True when _flag == Flag.Skipped:
                _isSkipped = true;
                break;
            case JsonTokenType.String when _flag == Flag.Modified:
                _modified = reader.GetString();
                break;
            case JsonTokenType.Number when _flag == Flag.Size:
                _size = reader.TryGetInt64(out long size) ? size : null;
                break;
            case JsonTokenType.Number when _flag == Flag.EmptyBlocks && reader.CurrentDepth == 4 && reader.TryGetUInt32(out uint number):
                _empty.Add(number);
                break;
            case JsonTokenType.String when _flag == Flag.AllVisibleBlocks:
                _visible = reader.GetString();
                break;
            case JsonTokenType.Number when _flag == Flag.DatabaseOid && reader.TryGetUInt32(out uint oid):
                _onDatabase?.Invoke(_database!, oid);
                break;
            // A null entry (old versions wrote some) is one without flags.
            case JsonTokenType.EndObject or JsonTokenType.Null when reader.CurrentDepth == 2 && _section == Section.Files && _name is not null:
                _onFile(new FileMetadata(_name, _isIncremented, _isSkipped, _modified, _size, BlockRanges.FromRuns(_empty), _visible));
                _name = null;
                break;
        }
    }

    // Go reads member names without regard to case.
    private void TakeName(ref Utf8JsonReader reader)
    {
        _flag = Flag.None;
        if (reader.CurrentDepth == 1)
        {
            string section = reader.GetString()!;
            _section = section.Equals("Files", StringComparison.OrdinalIgnoreCase) ? Section.Files
                : section.Equals("TarFileSets", StringComparison.OrdinalIgnoreCase) ? Section.TarFileSets
                : section.Equals("DatabasesByNames", StringComparison.OrdinalIgnoreCase) ? Section.Databases
                : Section.Other;
        }
        else if (reader.CurrentDepth == 2 && _section == Section.Files)
        {
            (_name, _isIncremented, _isSkipped, _modified, _size, _visible) = (reader.GetString(), false, false, null, null, null);
            _empty.Clear();
        }
        else if (reader.CurrentDepth == 2 && _section == Section.TarFileSets)
        {
            _onPart?.Invoke(reader.GetString()!);
        }
        else if (reader.CurrentDepth == 2 && _section == Section.Databases)
        {
            _database = reader.GetString();
        }
        else if (reader.CurrentDepth == 3 && _section == Section.Databases)
        {
            _flag = Is(ref reader, "oid"u8, "oid") ? Flag.DatabaseOid : Flag.None;
        }
        else if (reader.CurrentDepth == 3 && _section == Section.Files)
        {
            _flag = Is(ref reader, "IsIncremented"u8, "IsIncremented") ? Flag.Incremented
                : Is(ref reader, "IsSkipped"u8, "IsSkipped") ? Flag.Skipped
                : Is(ref reader, "MTime"u8, "MTime") ? Flag.Modified
                : Is(ref reader, "Size"u8, "Size") ? Flag.Size
                : Is(ref reader, "EmptyBlocks"u8, "EmptyBlocks") ? Flag.EmptyBlocks
                : Is(ref reader, "AllVisibleBlocks"u8, "AllVisibleBlocks") ? Flag.AllVisibleBlocks
                : Flag.None;
        }
    }

    private static bool Is(ref Utf8JsonReader reader, ReadOnlySpan<byte> name, string text) =>
        reader.ValueTextEquals(name) || (reader.ValueSpan.Length == name.Length && text.Equals(reader.GetString(), StringComparison.OrdinalIgnoreCase));
}
