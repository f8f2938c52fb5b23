using System.Buffers;
using System.Text.Json;
using PgBackup.Backup.Packing;
using PgBackup.Backup.Reading;
using PgBackup.Codecs;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Backup.Publishing;

/// <summary>
/// Collects what the backup holds, part by part, and writes it at the end as <c>files_metadata.json</c> (for wal-g) and as the index (for us).
/// </summary>
internal sealed class FileListCollector : IDisposable
{
    // wal-g stores the first thousand of a file's damaged blocks when not asked for all.
    private const int CorruptBlocksListed = 1000;

    private readonly CompressedSpool _files = new();
    private readonly CompressedSpool _partSets = new();
    private readonly CompressedSpool _index = new();
    private readonly ArrayBufferWriter<byte> _line = new(1 << 16);
    private readonly Utf8JsonWriter _json;

    public FileListCollector()
    {
        // The pieces are fragments of one document, joined when it is written: each alone would not be valid.
        _json = new Utf8JsonWriter(_line, new JsonWriterOptions { SkipValidation = true });
    }

    /// <summary>How many parts have been added to the index.</summary>
    public int PartCount { get; private set; }

    /// <summary>How many files the backup stands for, skipped ones included.</summary>
    public long FileCount { get; private set; }

    /// <summary>How many of them the parent has as they are.</summary>
    public long SkippedFileCount { get; private set; }

    /// <summary>How many of them are stored as increments.</summary>
    public long IncrementCount { get; private set; }

    /// <summary>The damaged pages that were found, by member.</summary>
    public List<CorruptFile> CorruptFiles { get; } = [];

    /// <summary>Takes a member for the list of files; the parts of the control file and of the labels are not in it.</summary>
    public void AddFile(PackedMember member)
    {
        uint[] corrupt = member.Notes?.Corrupt.ToArray() ?? [];
        if (corrupt.Length > 0)
            CorruptFiles.Add(new CorruptFile(member.Member.Name[1..], corrupt));
        bool isIncrement = member.Member.Kind == MemberKind.Increment;
        if (member.Member.Kind != MemberKind.Directory)
            FileCount++;
        if (member.IsSkipped)
            SkippedFileCount++;
        if (isIncrement)
            IncrementCount++;

        _json.WriteStartObject();
        _json.WriteStartObject(member.Member.Name);
        _json.WriteBoolean("IsIncremented", isIncrement);
        _json.WriteBoolean("IsSkipped", member.IsSkipped);
        _json.WriteString("MTime", member.Modified.ToString());
        // Ours, of which wal-g knows nothing: what a delta on this backup needs to skip a file, and to store a part of it.
        if (member.Member.Kind != MemberKind.Directory)
            _json.WriteNumber("Size", member.FileSize);
        NotedPages? pages = member.Known ?? member.Notes?.ToNoted();
        if (pages?.Empty is { } empty)
        {
            _json.WriteStartArray("EmptyBlocks");
            foreach (uint number in empty.Runs)
                _json.WriteNumberValue(number);
            _json.WriteEndArray();
        }
        // Of a file that is stored whole, nothing said means none; else, that it is not known.
        if (pages?.AllVisible is { } visible && (visible.Text.Length > 0 || isIncrement || member.IsSkipped))
            _json.WriteString("AllVisibleBlocks", visible.Text);
        if (corrupt.Length > 0)
        {
            _json.WriteStartObject("CorruptBlocks");
            _json.WriteNumber("CorruptBlocksCount", corrupt.Length);
            _json.WriteStartArray("SomeCorruptBlocks");
            foreach (uint block in corrupt.AsSpan(0, Math.Min(corrupt.Length, CorruptBlocksListed)))
                _json.WriteNumberValue(block);
            _json.WriteEndArray();
            _json.WriteEndObject();
        }
        _json.WriteNumber("UpdatesCount", 0);
        _json.WriteEndObject();
        _json.WriteEndObject();
        AppendFragment(_files);
    }

    /// <summary>Takes a finished part: its line of the index, and its set of members.</summary>
    public void AddPart(IndexedPart part, bool listMembers)
    {
        PartCount++;
        JsonSerializer.Serialize(_json, part, RepositoryJson.Default.IndexedPart);
        _json.Flush();
        _index.Write(_line.WrittenSpan);
        _index.Write("\n"u8);
        Reset();
        if (!listMembers)
            return;
        _json.WriteStartObject();
        _json.WriteStartArray(part.Name);
        foreach (IndexedMember member in part.Members)
            _json.WriteStringValue(member.Name);
        _json.WriteEndArray();
        _json.WriteEndObject();
        AppendFragment(_partSets);
    }

    /// <summary>Writes <c>files_metadata.json</c>: plain JSON, never compressed, as wal-g wants it.</summary>
    public Task WriteFilesMetadataAsync(
        BackupRepository repository, BackupName name, Func<Utf8JsonWriter, Task> writeDatabases, CancellationToken cancellationToken)
    {
        var plain = repository with { Key = null };
        return ObjectEncoding.PutEncodedAsync(plain, RepositoryLayout.FilesMetadataKey(name), CompressionMethod.None, async (stream, token) =>
        {
            await stream.WriteAsync("{\"Files\":{"u8.ToArray(), token).ConfigureAwait(false);
            await _files.CopyToAsync(stream, token).ConfigureAwait(false);
            await stream.WriteAsync("},\"TarFileSets\":{"u8.ToArray(), token).ConfigureAwait(false);
            await _partSets.CopyToAsync(stream, token).ConfigureAwait(false);
            await stream.WriteAsync("},\"DatabasesByNames\":"u8.ToArray(), token).ConfigureAwait(false);
            var writer = new Utf8JsonWriter(stream);
            await using (writer.ConfigureAwait(false))
                await writeDatabases(writer).ConfigureAwait(false);
            await stream.WriteAsync("}"u8.ToArray(), token).ConfigureAwait(false);
        }, cancellationToken);
    }

    /// <summary>Writes the index; encrypted when the repository is.</summary>
    public Task WriteIndexAsync(BackupRepository repository, BackupName name, CancellationToken cancellationToken) =>
        ObjectEncoding.PutEncodedAsync(repository, RepositoryLayout.IndexKey(name), CompressionMethod.Zstd, async (stream, token) =>
        {
            var header = new IndexHeader(IndexHeader.CurrentVersion, name.Text, PartCount);
            await JsonSerializer.SerializeAsync(stream, header, RepositoryJson.Default.IndexHeader, token).ConfigureAwait(false);
            await stream.WriteAsync("\n"u8.ToArray(), token).ConfigureAwait(false);
            await _index.CopyToAsync(stream, token).ConfigureAwait(false);
        }, cancellationToken);

    public void Dispose()
    {
        _json.Dispose();
        _files.Dispose();
        _partSets.Dispose();
        _index.Dispose();
    }

    /// <summary>Appends the member inside the braces that were written, with a comma before it where it is not the first.</summary>
    private void AppendFragment(CompressedSpool spool)
    {
        _json.Flush();
        if (!spool.IsEmpty)
            spool.Write(","u8);
        spool.Write(_line.WrittenSpan[1..^1]);
        Reset();
    }

    private void Reset()
    {
        _line.ResetWrittenCount();
        _json.Reset();
    }
}
