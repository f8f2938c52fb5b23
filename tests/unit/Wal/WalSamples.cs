using System.Buffers.Binary;
using PgBackup.Codecs;
using PgBackup.Configuration;
using PgBackup.Repository;
using PgBackup.Storage;

namespace PgBackup.Tests.Wal;

/// <summary>WAL files made by hand, byte by byte as xlog_internal.h has them, and repositories to push them into.</summary>
internal static class WalSamples
{
    public const ulong Cluster = 7300000000000000001;
    public const string Segment = "000000010000000000000003";
    public const string HexKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    /// <summary>A segment of PostgreSQL 15 whose header fits its name; the rest is half noise, half zeros, different for each seed.</summary>
    public static byte[] SegmentBytes(string name = Segment, int size = 1 << 20, int seed = 1, ulong cluster = Cluster, uint? pageTimeline = null)
    {
        WalSegmentName parsed = WalSegmentName.Parse(name);
        var segmentSize = new WalSegmentSize(size);
        byte[] content = new byte[size];
        new Random(seed).NextBytes(content.AsSpan(40, size / 2));
        BinaryPrimitives.WriteUInt16LittleEndian(content, 0xD110);
        BinaryPrimitives.WriteUInt16LittleEndian(content.AsSpan(2), 2);
        BinaryPrimitives.WriteUInt32LittleEndian(content.AsSpan(4), pageTimeline ?? parsed.Timeline.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(content.AsSpan(8), segmentSize.StartOf(parsed.NumberFor(segmentSize)).Value);
        content.AsSpan(16, 8).Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(content.AsSpan(24), cluster);
        BinaryPrimitives.WriteUInt32LittleEndian(content.AsSpan(32), (uint)size);
        BinaryPrimitives.WriteUInt32LittleEndian(content.AsSpan(36), 8192);
        return content;
    }

    public static string WriteSegment(string folder, string name = Segment, int size = 1 << 20, int seed = 1) =>
        WriteFile(folder, name, SegmentBytes(name[..24], size, seed));

    public static string WriteFile(string folder, string name, ReadOnlySpan<byte> content)
    {
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, name);
        File.WriteAllBytes(path, content);
        return path;
    }

    public static BackupRepository Repository(string folder, CompressionMethod method = CompressionMethod.Zstd, string? hexKey = null)
    {
        Directory.CreateDirectory(folder);
        EncryptionKey? key = hexKey is null ? null : EncryptionKey.FromSettings(hexKey, KeyTransform.Hex);
        return new BackupRepository(new DirectoryStore(folder), key, method);
    }

    /// <summary>The names in a folder of the repository, those of objects in flight included.</summary>
    public static string[] Names(BackupRepository repository, string folder = RepositoryLayout.WalFolder)
    {
        string path = Path.Combine(repository.Location, folder);
        return Directory.Exists(path) ? [.. Directory.GetFiles(path).Select(file => Path.GetFileName(file)!).Order(StringComparer.Ordinal)] : [];
    }

    /// <summary>The path of an object of the archive.</summary>
    public static string ObjectPath(BackupRepository repository, string name) => Path.Combine(repository.Location, RepositoryLayout.WalFolder, name);
}

/// <summary>A log that remembers its warnings.</summary>
internal sealed class WarningLog : IOperationLog
{
    private readonly List<string> _warnings = [];

    public IReadOnlyList<string> Warnings => _warnings;

    public void Write(LogLevel level, string message)
    {
        if (level == LogLevel.Warning)
            _warnings.Add(message);
    }
}
