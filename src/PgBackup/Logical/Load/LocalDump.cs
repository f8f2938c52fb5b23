using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Repository.Dumps;

namespace PgBackup.Logical.Load;

/// <summary>A dump in a file or a folder. Its first bytes say what it is; only Brotli and LZMA, which have no such bytes, are known by the extension.</summary>
internal sealed class LocalDump : DumpSource
{
    internal const string TocName = "toc.dat";

    private const int HeadLength = 4096, TarMagicOffset = 257;

    private readonly CompressionMethod _method;

    private LocalDump(string path, DumpFormat format, CompressionMethod method, DumpContent content)
    {
        Name = path;
        Format = format;
        Content = content;
        _method = method;
    }

    public override string Name { get; }

    public override DumpFormat Format { get; }

    public override DumpContent Content { get; }

    internal override long? Size => _method == CompressionMethod.None && Format != DumpFormat.Directory ? new FileInfo(Name).Length : null;

    internal override string? LocalPath => _method == CompressionMethod.None && Format != DumpFormat.Plain ? Name : null;

    public static async Task<LocalDump> OpenAsync(string path, CancellationToken cancellationToken)
    {
        if (Directory.Exists(path))
        {
            return File.Exists(Path.Combine(path, TocName))
                ? new LocalDump(Path.GetFullPath(path), DumpFormat.Directory, CompressionMethod.None, DumpContent.Database)
                : throw PgErrors.DumpNotReadable(path, $"the folder holds no {TocName}");
        }
        if (!File.Exists(path))
            throw PgErrors.DumpNotFound(path);
        byte[] head = await HeadAsync(path, CompressionMethod.None, cancellationToken).ConfigureAwait(false);
        CompressionMethod method = MethodOf(head, path);
        if (method != CompressionMethod.None)
            head = await HeadAsync(path, method, cancellationToken).ConfigureAwait(false);
        (DumpFormat format, DumpContent content) = FormOf(head, path);
        return new LocalDump(Path.GetFullPath(path), format, method, content);
    }

    internal override Task<Stream> OpenAsync(CancellationToken cancellationToken) => Task.FromResult(Open(Name, _method));

    internal override async Task<string> PlaceAsync(string folder, int throttleLimit, Action<long> onBytes, CancellationToken cancellationToken)
    {
        if (LocalPath is { } path)
            return path;
        string target = Path.Combine(folder, "dump");
        Stream content = Open(Name, _method);
        await using (content.ConfigureAwait(false))
            await WriteFileAsync(content, target, onBytes, cancellationToken).ConfigureAwait(false);
        return target;
    }

    private static Stream Open(string path, CompressionMethod method) => StreamDecoder.Open(OpenFile(path), method, path);

    private static async Task<byte[]> HeadAsync(string path, CompressionMethod method, CancellationToken cancellationToken)
    {
        Stream content = Open(path, method);
        await using (content.ConfigureAwait(false))
        {
            byte[] head = new byte[HeadLength];
            int count = await content.ReadAtLeastAsync(head, HeadLength, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
            return head[..count];
        }
    }

    private static CompressionMethod MethodOf(ReadOnlySpan<byte> head, string path) => head switch
    {
        [0x1F, 0x8B, ..] => CompressionMethod.Gzip,
        [0x28, 0xB5, 0x2F, 0xFD, ..] or [>= 0x50 and <= 0x5F, 0x2A, 0x4D, 0x18, ..] => CompressionMethod.Zstd,
        [0x04, 0x22, 0x4D, 0x18, ..] => CompressionMethod.Lz4,
        _ when head.StartsWith(ArchiveTocReader.Magic) || IsTar(head) => CompressionMethod.None,
        _ when path.EndsWith(".br", StringComparison.OrdinalIgnoreCase) => CompressionMethod.Brotli,
        _ when path.EndsWith(".lzma", StringComparison.OrdinalIgnoreCase) => CompressionMethod.Lzma,
        _ => CompressionMethod.None,
    };

    private static (DumpFormat Format, DumpContent Content) FormOf(ReadOnlySpan<byte> head, string path)
    {
        if (head.StartsWith(ArchiveTocReader.Magic))
        {
            // pg_dump's archives name their own form; that of a folder says "tar" (pg_backup_directory.c).
            return head.Length > 10 && head[10] == 1 ? (DumpFormat.Custom, DumpContent.Database)
                : throw PgErrors.DumpNotReadable(path, $"it is the {TocName} of a dump; give the folder that it is of");
        }
        if (IsTar(head))
        {
            return head.StartsWith("toc.dat\0"u8) ? (DumpFormat.Tar, DumpContent.Database)
                : throw PgErrors.DumpNotReadable(path, "it is a tar, and not one that pg_dump wrote; a packed folder must be unpacked first");
        }
        if (head is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..])
            throw PgErrors.DumpNotReadable(path, "it is a text in UTF-16, as Windows PowerShell writes what is redirected with '>'; write the dump with pg_dump --file");
        if (head.IsEmpty)
            throw PgErrors.DumpNotReadable(path, "it is empty");
        if (head.Contains((byte)0))
            throw PgErrors.DumpNotReadable(path, "it is neither an archive of pg_dump nor an SQL script, nor one of these compressed with gzip, zstd, lz4 or brotli");
        return (DumpFormat.Plain, head.IndexOf("-- PostgreSQL database cluster dump"u8) >= 0 ? DumpContent.Globals : DumpContent.Database);
    }

    private static bool IsTar(ReadOnlySpan<byte> head) => head.Length >= TarMagicOffset + 5 && head.Slice(TarMagicOffset, 5).SequenceEqual("ustar"u8);
}
