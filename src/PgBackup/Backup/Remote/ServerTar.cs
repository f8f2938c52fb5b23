using System.Buffers.Binary;
using System.Text;

namespace PgBackup.Backup.Remote;

/// <summary>What a member of a server's archive is.</summary>
internal enum ServerTarKind
{
    /// <summary>A file with content.</summary>
    File,

    /// <summary>A folder.</summary>
    Folder,

    /// <summary>A symbolic link: to a tablespace, or <c>pg_wal</c> where that is one.</summary>
    Link,
}

/// <summary>A member's header.</summary>
/// <param name="Name">The name as it stands there: bytes, because PostgreSQL does not say in which encoding file names are.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Size">The bytes that follow.</param>
/// <param name="Modified">When it was changed, in whole seconds since 1970.</param>
/// <param name="Mode">Its permissions.</param>
internal sealed record ServerTarMember(byte[] Name, ServerTarKind Kind, long Size, long Modified, int Mode);

/// <summary>
/// Reads the tar archives of BASE_BACKUP as PostgreSQL writes them (<c>port/tar.c</c>: ustar, sizes beyond 8 GiB in base 256; before version 15 without the two empty
/// blocks at the end). A header that is not valid, and an archive that ends within a member, is <see cref="InvalidDataException"/>.
/// </summary>
internal sealed class ServerTar(Stream source)
{
    private const int BlockSize = 512;

    private readonly byte[] _block = new byte[BlockSize];
    private long _left;
    private int _padding;
    private bool _ended;

    /// <summary>The next member, whose bytes <see cref="ReadAsync"/> gives; null at the end. The member before must have been read to its end.</summary>
    public async ValueTask<ServerTarMember?> NextAsync(CancellationToken cancellationToken)
    {
        if (_left > 0)
            throw new InvalidOperationException("The member before was not read to its end.");
        if (_ended)
            return null;
        if (await source.ReadAtLeastAsync(_block.AsMemory(0, _padding), _padding, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false) < _padding)
            throw new InvalidDataException("it ends within a member");
        int read = await source.ReadAtLeastAsync(_block, BlockSize, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        if (read is not (0 or BlockSize))
            throw new InvalidDataException("it ends within a header");
        if (read == 0 || !_block.AsSpan().ContainsAnyExcept((byte)0))
        {
            await ReadEndAsync(cancellationToken).ConfigureAwait(false);
            return null;
        }
        ServerTarMember member = Parse(_block);
        _left = member.Size;
        _padding = (int)(-member.Size & (BlockSize - 1));
        return member;
    }

    /// <summary>Fills as much of the buffer as the member has left; 0 at its end.</summary>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        int wanted = (int)Math.Min(buffer.Length, _left);
        if (wanted == 0)
            return 0;
        int read = await source.ReadAtLeastAsync(buffer[..wanted], wanted, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        if (read < wanted)
            throw new InvalidDataException("it ends within a member");
        _left -= read;
        return read;
    }

    internal static ServerTarMember Parse(ReadOnlySpan<byte> header)
    {
        long sum = 0;
        for (int i = 0; i < BlockSize; i++)
            sum += i is >= 148 and < 156 ? (byte)' ' : header[i];
        if (sum != Number(header.Slice(148, 8)))
            throw new InvalidDataException("the checksum of a header is wrong");
        ServerTarKind kind = header[156] switch
        {
            (byte)'0' or 0 => ServerTarKind.File,
            (byte)'5' => ServerTarKind.Folder,
            (byte)'2' => ServerTarKind.Link,
            var other => throw new InvalidDataException($"a member has the type {other}"),
        };
        ReadOnlySpan<byte> name = header[..100];
        int end = name.IndexOf((byte)0);
        long size = Number(header.Slice(124, 12));
        if (size < 0)
            throw new InvalidDataException("a member has a negative size");
        return new ServerTarMember(
            (end < 0 ? name : name[..end]).TrimEnd((byte)'/').ToArray(), kind, kind == ServerTarKind.File ? size : 0, Number(header.Slice(136, 12)), (int)Number(header.Slice(100, 8)) & 0xFFF);
    }

    // Octal digits, or with the highest bit set the number itself (print_tar_number in port/tar.c).
    private static long Number(ReadOnlySpan<byte> field)
    {
        if ((field[0] & 0x80) != 0)
            return BinaryPrimitives.ReadInt64BigEndian(field[^8..]);
        long number = 0;
        foreach (byte digit in field.Trim((byte)' '))
        {
            if (digit == 0)
                break;
            if (digit is < (byte)'0' or > (byte)'7')
                throw new InvalidDataException($"'{Encoding.ASCII.GetString(field)}' is no number");
            number = (number << 3) | (uint)(digit - '0');
        }
        return number;
    }

    // Nothing but empty blocks may follow; reading on also has a decoder check what it read.
    private async ValueTask ReadEndAsync(CancellationToken cancellationToken)
    {
        _ended = true;
        while (await source.ReadAsync(_block, cancellationToken).ConfigureAwait(false) is > 0 and int count)
        {
            if (_block.AsSpan(0, count).ContainsAnyExcept((byte)0))
                throw new InvalidDataException("something follows its end");
        }
    }
}
