using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace PgBackup.Backup.Remote;

/// <summary>The range of WAL that a manifest names.</summary>
internal readonly record struct ManifestWal(TimelineId Timeline, Lsn Start, Lsn End);

/// <summary>
/// Holds a backup manifest against the files that came (PostgreSQL documentation, "Backup Manifest Format"), while it is read: a million files make some 150 MB.
/// The server writes one file a line, and the checksum of all that precedes it in the last. What does not agree is <see cref="InvalidDataException"/>.
/// </summary>
internal sealed class ManifestCheck(ReceivedFiles files)
{
    // The longest path that a tar header holds, escaped, is far below.
    private const int LongestLine = 64 << 10;

    private readonly List<ManifestWal> _wal = [];
    private byte[] _checksum = [];
    private bool _ended;

    /// <summary>Reads it to its end; then every file that came stood in it, as it came. Returns the ranges of WAL that the backup needs.</summary>
    public async Task<IReadOnlyList<ManifestWal>> ReadAsync(Stream manifest, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[LongestLine];
        int filled = 0;
        while (await manifest.ReadAsync(buffer.AsMemory(filled), cancellationToken).ConfigureAwait(false) is > 0 and int count)
        {
            filled += count;
            int start = 0;
            for (int length; (length = buffer.AsSpan(start, filled - start).IndexOf((byte)'\n')) >= 0; start += length + 1)
            {
                if (!TakeLine(buffer.AsSpan(start, length)))
                    hash.AppendData(buffer, start, length + 1);
            }
            if (start == 0 && filled == buffer.Length)
                throw new InvalidDataException("its manifest cannot be read: a line is too long");
            buffer.AsSpan(start, filled - start).CopyTo(buffer);
            filled -= start;
        }
        if (!_ended || filled > 0)
            throw new InvalidDataException("its manifest ends too early");
        if (!hash.GetHashAndReset().AsSpan().SequenceEqual(_checksum))
            throw new InvalidDataException("the checksum of its manifest is wrong");
        if (files.Count > 0)
            throw new InvalidDataException($"{files.Count} files came that its manifest does not name");
        return _wal;
    }

    // True for the line of the checksum, which is the last and does not cover itself.
    private bool TakeLine(ReadOnlySpan<byte> line)
    {
        if (_ended)
            throw new InvalidDataException("something follows the checksum of its manifest");
        if (line.StartsWith("\"Manifest-Checksum\""u8))
        {
            int colon = line.IndexOf((byte)':');
            _checksum = Hex(Encoding.ASCII.GetString(line[(colon + 1)..]).Trim(' ', '"', '}'));
            return _ended = true;
        }
        if (!line.StartsWith("{ \""u8) || line.IndexOf((byte)'}') < 0)
            return false; // The frame around the lists.
        try
        {
            TakeEntry(line.TrimEnd((byte)','));
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException) // The latter: a text that is not UTF-8.
        {
            throw new InvalidDataException("its manifest cannot be read", error);
        }
        return false;
    }

    private void TakeEntry(ReadOnlySpan<byte> line)
    {
        byte[]? path = null;
        long size = -1;
        string algorithm = "", checksum = "", timeline = "", start = "", end = "";
        var reader = new Utf8JsonReader(line);
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName)
                continue;
            string name = reader.GetString()!;
            reader.Read();
            string value = reader.TokenType == JsonTokenType.String ? reader.GetString()! : Encoding.ASCII.GetString(reader.ValueSpan);
            switch (name)
            {
                case "Path":
                    path = Encoding.UTF8.GetBytes(value);
                    break;
                case "Encoded-Path": // A name that is not UTF-8.
                    path = Hex(value);
                    break;
                case "Size":
                    size = Number(value);
                    break;
                case "Checksum-Algorithm":
                    algorithm = value;
                    break;
                case "Checksum":
                    checksum = value;
                    break;
                case "Timeline":
                    timeline = value;
                    break;
                case "Start-LSN":
                    start = value;
                    break;
                case "End-LSN":
                    end = value;
                    break;
            }
        }
        if (path is not null)
            TakeFile(path, size, algorithm, checksum);
        else if (Lsn.TryParse(start, null, out Lsn from) && Lsn.TryParse(end, null, out Lsn to))
            _wal.Add(new ManifestWal(new TimelineId((uint)Number(timeline)), from, to));
        else
            throw new InvalidDataException("its manifest cannot be read: a line is neither a file nor WAL");
    }

    private void TakeFile(byte[] path, long size, string algorithm, string checksum)
    {
        if (algorithm != "CRC32C")
            throw new InvalidDataException($"its manifest has checksums of the kind '{algorithm}'");
        byte[] crc = Hex(checksum);
        if (crc.Length != 4)
            throw new InvalidDataException("its manifest cannot be read: a checksum is none");
        files.Require(path, size, BinaryPrimitives.ReadUInt32LittleEndian(crc)); // In the order of memory (pg_checksum_final).
    }

    private static long Number(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : throw new InvalidDataException("its manifest cannot be read: a number is none");

    private static byte[] Hex(string text)
    {
        try
        {
            return Convert.FromHexString(text);
        }
        catch (FormatException error)
        {
            throw new InvalidDataException("its manifest cannot be read: a row of digits is none", error);
        }
    }
}
