using System.Buffers;
using System.Text;
using PgBackup.Backup.Publishing;
using PgBackup.Codecs;
using PgBackup.Platform;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Storage;

namespace PgBackup.Backup.Packing;

/// <summary>
/// Appends frames in order to the parts of a backup, encrypts them when there is a key, and tells the collector what lies where. While parts are
/// being made durable the next one is written.
/// </summary>
internal sealed class PartWriter : IAsyncDisposable
{
    private const int CommitsAtOnce = 3;

    private readonly BackupRepository _repository;
    private readonly BackupName _backup;
    private readonly PartEncoder _encoder;
    private readonly FileListCollector _collector;
    private readonly ArrayBufferWriter<byte> _output = new(FramePlanner.FrameSize);
    private readonly ArrayBufferWriter<byte> _sealed = new();
    private readonly List<PackedMember> _pending = [];
    private OpenPart? _part;
    private readonly Queue<Task> _commits = new(CommitsAtOnce);
    private int _dataParts;

    public PartWriter(BackupRepository repository, BackupName backup, PartEncoder encoder, FileListCollector collector)
    {
        _repository = repository;
        _backup = backup;
        _encoder = encoder;
        _collector = collector;
    }

    /// <summary>The bytes of tar so far.</summary>
    public long UncompressedBytes { get; private set; }

    /// <summary>The bytes stored so far.</summary>
    public long StoredBytes { get; private set; }

    /// <summary>Appends a frame of a data part.</summary>
    public async Task AppendAsync(FrameJob job, CancellationToken cancellationToken)
    {
        _pending.AddRange(job.Skipped);
        _pending.AddRange(job.Packed);
        if (job.Plain!.Length == 0)
        {
            CollectPending(); // Nothing but skipped files.
            return;
        }
        OpenPart part = _part
            ?? await BeginAsync(RepositoryLayout.PartKey(_backup, ++_dataParts, _encoder.Method), cancellationToken).ConfigureAwait(false);
        await AppendFrameAsync(part, job.Plain, job.Encoded.AsMemory(0, job.EncodedLength), job.Hash, job.Packed, cancellationToken).ConfigureAwait(false);
        if (!job.LeavesFileOpen)
            CollectPending(); // All that was appended is complete, its damaged pages known.
        if (job.EndsPart)
            await EndAsync(listMembers: true, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Compresses what is appended.</summary>
    public PartEncoder Encoder => _encoder;

    /// <summary>Writes the part of the control file.</summary>
    public Task WriteControlFileAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken) => WriteSmallPartAsync(
        RepositoryLayout.ControlPartKey(_backup, _encoder.Method), listMembers: false, cancellationToken, ("/" + ControlFile.RelativePath, content));

    /// <summary>Writes the part of the labels, both of them always.</summary>
    public Task WriteLabelsAsync(string label, string tablespaceMap, CancellationToken cancellationToken) => WriteSmallPartAsync(
        RepositoryLayout.LabelPartKey(_backup, _encoder.Method), listMembers: true, cancellationToken,
        (BackupLabel.FileName, Encoding.UTF8.GetBytes(label)), (TablespaceMap.FileName, Encoding.UTF8.GetBytes(tablespaceMap)));

    private async Task WriteSmallPartAsync(string key, bool listMembers, CancellationToken cancellationToken, params (string, ReadOnlyMemory<byte>)[] members)
    {
        FrameJob job = SmallPart.Create(_encoder, new FileTime(DateTimeOffset.UtcNow.ToUnixTimeSeconds(), 0), members);
        OpenPart part = await BeginAsync(key, cancellationToken).ConfigureAwait(false);
        await AppendFrameAsync(part, job.Plain!, job.Encoded.AsMemory(0, job.EncodedLength), job.Hash, job.Packed, cancellationToken).ConfigureAwait(false);
        await EndAsync(listMembers, cancellationToken).ConfigureAwait(false);
        job.Release();
    }

    /// <summary>Waits until every part that was ended is durable.</summary>
    public async Task FlushAsync()
    {
        while (_commits.TryPeek(out Task? commit))
        {
            await commit.ConfigureAwait(false);
            _ = _commits.Dequeue();
        }
    }

    public async ValueTask DisposeAsync()
    {
        // A failure was told by FlushAsync; after another failure it must not take that one's place.
        await Task.WhenAll(_commits).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_part is not null)
            await _part.DisposeAsync().ConfigureAwait(false);
    }

    private async Task<OpenPart> BeginAsync(string key, CancellationToken cancellationToken)
    {
        ObjectWriter writer = await _repository.Store.CreateAsync(key, PutCondition.None, cancellationToken).ConfigureAwait(false);
        var part = new OpenPart(key, writer, _encoder.BeginPart(), _repository.Key is null ? null : new SecretStreamEncoder(_repository.Key));
        _part = part; // From here on it is given up with this.
        if (part.Cipher is not null)
        {
            part.Cipher.Begin(_sealed);
            await SendSealedAsync(part, cancellationToken).ConfigureAwait(false);
        }
        return part;
    }

    private async Task AppendFrameAsync(
        OpenPart part, FrameBuffer plain, ReadOnlyMemory<byte> encoded, string hash, List<PackedMember> members, CancellationToken cancellationToken)
    {
        foreach (PackedMember packed in members)
            part.Members.Add(packed.Member with { Offset = part.PlainLength + packed.Member.Offset });
        part.Frames.Add(new IndexedFrame(encoded.Length, plain.Length, hash));
        part.PlainLength += plain.Length;
        UncompressedBytes += plain.Length;
        part.Stream.Append(plain.Written, encoded.Span, _output);
        await SendAsync(part, cancellationToken).ConfigureAwait(false);
    }

    private async Task EndAsync(bool listMembers, CancellationToken cancellationToken)
    {
        OpenPart part = _part!;
        CollectPending();
        part.Stream.Complete(_output);
        await SendAsync(part, cancellationToken).ConfigureAwait(false);
        if (part.Cipher is not null)
        {
            part.Cipher.Complete(_sealed);
            await SendSealedAsync(part, cancellationToken).ConfigureAwait(false);
        }
        bool random = _encoder.ChunksAreIndependent && part.Cipher is null;
        string name = part.Key[(part.Key.LastIndexOf('/') + 1)..];
        _collector.AddPart(new IndexedPart(name, part.StoredLength, random, part.Frames, part.Members), listMembers);
        while (_commits.Count == CommitsAtOnce)
        {
            await _commits.Peek().ConfigureAwait(false);
            _ = _commits.Dequeue();
        }
        _part = null;
        _commits.Enqueue(CommitAsync(part, cancellationToken));
    }

    private static async Task CommitAsync(OpenPart part, CancellationToken cancellationToken)
    {
        await using (part.ConfigureAwait(false))
            await Task.Run(() => part.Writer.CommitAsync(cancellationToken), cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask SendAsync(OpenPart part, CancellationToken cancellationToken)
    {
        if (part.Cipher is null)
        {
            await SendAsync(part, _output, cancellationToken).ConfigureAwait(false);
            return;
        }
        part.Cipher.Append(_output.WrittenSpan, _sealed);
        _output.ResetWrittenCount();
        await SendSealedAsync(part, cancellationToken).ConfigureAwait(false);
    }

    private ValueTask SendSealedAsync(OpenPart part, CancellationToken cancellationToken) => SendAsync(part, _sealed, cancellationToken);

    private async ValueTask SendAsync(OpenPart part, ArrayBufferWriter<byte> buffer, CancellationToken cancellationToken)
    {
        if (buffer.WrittenCount == 0)
            return;
        await part.Writer.WriteAsync(buffer.WrittenMemory, cancellationToken).ConfigureAwait(false);
        part.StoredLength += buffer.WrittenCount;
        StoredBytes += buffer.WrittenCount;
        buffer.ResetWrittenCount();
    }

    private void CollectPending()
    {
        foreach (PackedMember packed in _pending)
            _collector.AddFile(packed);
        _pending.Clear();
    }

    private sealed class OpenPart(string key, ObjectWriter writer, PartStream stream, SecretStreamEncoder? cipher) : IAsyncDisposable
    {
        public string Key { get; } = key;

        public ObjectWriter Writer { get; } = writer;

        public PartStream Stream { get; } = stream;

        public SecretStreamEncoder? Cipher { get; } = cipher;

        public List<IndexedFrame> Frames { get; } = [];

        public List<IndexedMember> Members { get; } = [];

        public long PlainLength { get; set; }

        public long StoredLength { get; set; }

        public ValueTask DisposeAsync()
        {
            Stream.Dispose();
            Cipher?.Dispose();
            return Writer.DisposeAsync();
        }
    }
}
