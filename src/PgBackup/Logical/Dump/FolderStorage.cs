using System.Formats.Tar;
using System.Globalization;
using System.IO.Hashing;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Postgres.Tools;
using PgBackup.Repository.Dumps;

namespace PgBackup.Logical.Dump;

/// <summary>
/// A dump in directory format: pg_dump writes it in parallel into a temporary folder, compressed lightly by itself; then its files are stored as tars, several at once.
/// </summary>
internal static class FolderStorage
{
    // Small files come together, a bigger one alone: few objects, and none that one worker takes long for beside idle ones.
    private const long PartSize = 64 << 20;

    public static async Task<DumpObjects> StoreAsync(DumpFolder folder, DumpOptions options, DumpProgram program, DumpWatch watch, CancellationToken cancellationToken)
    {
        bool isCompressed = folder.Method(options) != CompressionMethod.None;
        IReadOnlyList<string> arguments = program.Arguments(Compression(program.Tool, isCompressed, options.CompressionLevel));
        using var scratch = new ScratchFolder();
        string dump = Path.Combine(scratch.Path, "dump");
        await program.IntoFolderAsync(arguments, dump, cancellationToken).ConfigureAwait(false);
        List<List<FileInfo>> parts = Plan(dump);
        watch.Begin("Storing the files");
        var objects = new DumpObject[parts.Count];
        await Parallel.ForAsync(0, parts.Count, new ParallelOptions { MaxDegreeOfParallelism = options.Workers, CancellationToken = cancellationToken }, async (number, token) =>
        {
            string key = string.Create(CultureInfo.InvariantCulture, $"data/part_{number + 1:D4}.tar");
            objects[number] = await folder.PutAsync(key, (target, stop) => WriteTarAsync(parts[number], target, watch, stop), token).ConfigureAwait(false);
            parts[number].ForEach(file => file.Delete());
        }).ConfigureAwait(false);
        return new DumpObjects(objects, arguments);
    }

    /// <summary>The argument for pg_dump's own light compression: zstd from 16 on.</summary>
    public static string Compression(ClientTool tool, bool isCompressed, int? level) =>
        !isCompressed ? "--compress=0"
        : tool.Version.Major >= 16 ? string.Create(CultureInfo.InvariantCulture, $"--compress=zstd:{level ?? 1}")
        : string.Create(CultureInfo.InvariantCulture, $"--compress={Math.Clamp(level ?? 1, 1, 9)}");

    private static List<List<FileInfo>> Plan(string folder)
    {
        var parts = new List<List<FileInfo>>();
        var small = new List<FileInfo>();
        long size = 0;
        // The list of contents first: whoever looks into a dump begins with it.
        foreach (FileInfo file in new DirectoryInfo(folder).EnumerateFiles().OrderBy(file => file.Name != "toc.dat").ThenBy(file => file.Name, StringComparer.Ordinal))
        {
            if (file.Length >= PartSize)
            {
                parts.Add([file]);
                continue;
            }
            if (size + file.Length > PartSize)
            {
                parts.Add(small);
                (small, size) = ([], 0);
            }
            small.Add(file);
            size += file.Length;
        }
        if (small.Count > 0)
            parts.Add(small);
        return parts;
    }

    private static async Task<DumpedBytes> WriteTarAsync(List<FileInfo> files, Stream target, DumpWatch watch, CancellationToken cancellationToken)
    {
        var counted = new CountingStream(target, watch);
        await using (counted.ConfigureAwait(false))
        {
            var tar = new TarWriter(counted, TarEntryFormat.Gnu, leaveOpen: true);
            await using (tar.ConfigureAwait(false))
            {
                foreach (FileInfo file in files)
                {
                    FileStream content = Open(file);
                    await using (content.ConfigureAwait(false))
                    {
                        var entry = new GnuTarEntry(TarEntryType.RegularFile, file.Name) { DataStream = content, ModificationTime = file.LastWriteTimeUtc };
                        await tar.WriteEntryAsync(entry, cancellationToken).ConfigureAwait(false);
                    }
                }
            }
            return counted.Result();
        }
    }

    private static FileStream Open(FileInfo file)
    {
        try
        {
            return file.OpenRead();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.DumpScratchFailed(file.DirectoryName!, error);
        }
    }

    /// <summary>A private folder below the temporary one, gone on dispose.</summary>
    private sealed class ScratchFolder : IDisposable
    {
        public ScratchFolder()
        {
            try
            {
                Path = Directory.CreateTempSubdirectory("pgbackup-dump-").FullName;
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw PgErrors.DumpScratchFailed(System.IO.Path.GetTempPath(), error);
            }
        }

        public string Path { get; }

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }

    /// <summary>Counts and hashes what goes by.</summary>
    private sealed class CountingStream(Stream target, DumpWatch watch) : Stream
    {
        private readonly XxHash128 _hash = new();
        private long _count;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public DumpedBytes Result() => new(_count, Convert.ToHexStringLower(_hash.GetCurrentHash()));

        public override void Write(byte[] buffer, int offset, int count)
        {
            Note(buffer.AsSpan(offset, count));
            target.Write(buffer, offset, count);
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Note(buffer.Span);
            return target.WriteAsync(buffer, cancellationToken);
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        private void Note(ReadOnlySpan<byte> bytes)
        {
            _hash.Append(bytes);
            _count += bytes.Length;
            watch.Count(bytes.Length);
        }
    }
}
