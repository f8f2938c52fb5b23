using System.Buffers;
using System.IO.Hashing;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Storage;

namespace PgBackup.Wal.Push;

/// <summary>Writes a WAL file as an object: compressed on several cores, then encrypted where there is a key.</summary>
internal static class WalObjectEncoder
{
    private const int ChunkSize = 4 << 20;

    // A busy server waits for its archive: of pgbench's WAL this makes 6 % more bytes than the level of backups, in two thirds of the time.
    private const int FastLevel = 1;

    // A segment of the usual size has four chunks.
    private static readonly int s_depth = Math.Clamp(Environment.ProcessorCount, 1, 4);

    /// <summary>Returns the object's bytes when it is durable and visible, and was proven, by the store or by reading it back. Throws <c>WalWriteNotConfirmed</c>.</summary>
    public static async Task<long> PutAsync(
        BackupRepository repository, string key, LocalWalFile local, PutCondition condition, CancellationToken cancellationToken)
    {
        var hash = new XxHash128();
        long stored;
        bool isProven;
        ObjectWriter writer = await repository.Store.CreateAsync(key, condition, cancellationToken).ConfigureAwait(false);
        await using (writer.ConfigureAwait(false))
        {
            stored = await WriteAsync(repository, local, writer, hash, cancellationToken).ConfigureAwait(false);
            await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
            isProven = writer.IsContentProven;
        }
        if (!isProven && !await repository.Store.HoldsAsync(key, stored, hash.GetCurrentHashAsUInt128(), cancellationToken).ConfigureAwait(false))
            throw PgErrors.WalWriteNotConfirmed(repository.Location, key);
        return stored;
    }

    private static async Task<long> WriteAsync(
        BackupRepository repository, LocalWalFile local, ObjectWriter writer, XxHash128 hash, CancellationToken cancellationToken)
    {
        // The level comes from WALG_ZSTD_LEVEL and means nothing to the others.
        int? level = repository.Compression == CompressionMethod.Zstd ? repository.CompressionLevel ?? FastLevel : null;
        using PartEncoder encoder = PartEncoder.Create(repository.Compression, level);
        using PartStream part = encoder.BeginPart();
        using SecretStreamEncoder? secret = repository.Key is null ? null : new SecretStreamEncoder(repository.Key);
        var compressed = new ArrayBufferWriter<byte>();
        ArrayBufferWriter<byte> sealedBytes = secret is null ? compressed : new ArrayBufferWriter<byte>();
        var waiting = new Queue<Chunk>(s_depth);
        try
        {
            secret?.Begin(sealedBytes);
            long offset = 0;
            long stored = 0;
            bool ended = false;
            while (!ended)
            {
                cancellationToken.ThrowIfCancellationRequested();
                while (waiting.Count < s_depth && offset < local.Length)
                {
                    Chunk chunk = Chunk.Begin(encoder, local, offset);
                    waiting.Enqueue(chunk);
                    offset += chunk.Length;
                }
                if (waiting.TryPeek(out Chunk? first))
                {
                    await first.Encoding.ConfigureAwait(false);
                    part.Append(first.Plaintext, first.Encoded, compressed);
                    waiting.Dequeue().Release();
                }
                else
                {
                    part.Complete(compressed);
                    ended = true;
                }
                if (secret is not null)
                {
                    secret.Append(compressed.WrittenSpan, sealedBytes);
                    compressed.ResetWrittenCount();
                    if (ended)
                        secret.Complete(sealedBytes);
                }
                hash.Append(sealedBytes.WrittenSpan);
                await writer.WriteAsync(sealedBytes.WrittenMemory, cancellationToken).ConfigureAwait(false);
                stored += sealedBytes.WrittenCount;
                sealedBytes.ResetWrittenCount();
            }
            return stored;
        }
        finally
        {
            // No buffer may go back to the pool, and the encoder not away, while a thread still works on it.
            foreach (Chunk chunk in waiting)
            {
                await ((Task)chunk.Encoding).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                chunk.Release();
            }
        }
    }

    private sealed class Chunk
    {
        private readonly byte[] _plaintext;
        private readonly byte[] _encoded;

        private Chunk(byte[] plaintext, int length, byte[] encoded, PartEncoder encoder)
        {
            _plaintext = plaintext;
            Length = length;
            _encoded = encoded;
            Encoding = Task.Run(() => encoder.Encode(plaintext.AsSpan(0, length), encoded));
        }

        public int Length { get; }

        public Task<int> Encoding { get; }

        public ReadOnlySpan<byte> Plaintext => _plaintext.AsSpan(0, Length);

        public ReadOnlySpan<byte> Encoded => _encoded.AsSpan(0, Encoding.Result);

        public static Chunk Begin(PartEncoder encoder, LocalWalFile local, long offset)
        {
            int wanted = (int)Math.Min(ChunkSize, local.Length - offset);
            byte[] plaintext = ArrayPool<byte>.Shared.Rent(wanted);
            if (local.Read(plaintext.AsSpan(0, wanted), offset) != wanted)
                throw PgErrors.WalFileChanged(local.Path);
            return new Chunk(plaintext, wanted, ArrayPool<byte>.Shared.Rent(encoder.MaxEncodedLength(wanted)), encoder);
        }

        public void Release()
        {
            ArrayPool<byte>.Shared.Return(_plaintext);
            ArrayPool<byte>.Shared.Return(_encoded);
        }
    }
}
