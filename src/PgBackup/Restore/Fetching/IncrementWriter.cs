using System.Buffers.Binary;
using System.Numerics;
using Microsoft.Win32.SafeHandles;

namespace PgBackup.Restore.Fetching;

/// <summary>
/// Applies an increment ("wi1U", WAL-G's <c>pagefile.go</c>) to a file as its bytes come by: magic, size of the file, number of pages, their block numbers
/// in ascending order, the pages. Throws <see cref="InvalidDataException"/> for anything else.
/// </summary>
internal sealed class IncrementWriter
{
    private const int HeaderLength = 16;
    private const int LargestBlockCount = 131072 * 8; // 1 GB in pages of 1 kB, the smallest that a server can be built with.

    private readonly SafeFileHandle _file;
    private readonly long _length;
    private byte[] _pending = new byte[HeaderLength];
    private int _filled;
    private long _taken;
    private uint[]? _blocks;
    private long _fileSize;
    private int _pageSize;
    private int _page;

    /// <summary>Begins; the increment is <paramref name="length"/> bytes long.</summary>
    public IncrementWriter(SafeFileHandle file, long length)
    {
        _file = file;
        _length = length;
    }

    /// <summary>Takes the next bytes.</summary>
    public void Write(ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty)
        {
            if (_blocks is not null && _page == _blocks.Length)
                throw new InvalidDataException("There are bytes after the increment's last page.");
            int take = Math.Min(data.Length, _pending.Length - _filled);
            data[..take].CopyTo(_pending.AsSpan(_filled));
            data = data[take..];
            _filled += take;
            _taken += take;
            if (_filled == _pending.Length)
                TakePending();
        }
    }

    /// <summary>Checks that it came whole.</summary>
    public void Complete()
    {
        if (_blocks is null || _page != _blocks.Length || _taken != _length)
            throw new InvalidDataException($"The increment ends after {_taken} of {_length} bytes.");
    }

    private void TakePending()
    {
        _filled = 0;
        if (_pageSize > 0)
        {
            RandomAccess.Write(_file, _pending, (long)_blocks![_page] * _pageSize);
            _page++;
        }
        else if (_taken == HeaderLength)
        {
            ReadHeader();
        }
        else
        {
            ReadBlocks();
        }
    }

    private void ReadHeader()
    {
        ReadOnlySpan<byte> header = _pending;
        if (!header[..4].SequenceEqual("wi1U"u8))
            throw new InvalidDataException("It should be an increment, but does not begin as one.");
        ulong size = BinaryPrimitives.ReadUInt64LittleEndian(header[4..]);
        uint count = BinaryPrimitives.ReadUInt32LittleEndian(header[12..]);
        if (size > 1L << 40 || count > LargestBlockCount)
            throw new InvalidDataException("The increment's header holds impossible numbers.");
        _fileSize = (long)size;
        RandomAccess.SetLength(_file, _fileSize);
        if (count == 0)
        {
            if (_length != HeaderLength)
                throw new InvalidDataException("The increment has no pages, but bytes after its header.");
            _blocks = [];
            return;
        }
        long pages = _length - HeaderLength - (4L * count);
        long pageSize = pages / count;
        if (pages % count != 0 || pageSize is < 1024 or > 32768 || !BitOperations.IsPow2(pageSize))
            throw new InvalidDataException($"The increment's {_length} bytes do not hold {count} pages.");
        _pending = new byte[4 * count];
        _blocks = new uint[count];
    }

    private void ReadBlocks()
    {
        uint[] blocks = _blocks!;
        int pageSize = (int)((_length - HeaderLength - (4L * blocks.Length)) / blocks.Length);
        for (int i = 0; i < blocks.Length; i++)
        {
            blocks[i] = BinaryPrimitives.ReadUInt32LittleEndian(_pending.AsSpan(4 * i));
            if (i > 0 && blocks[i] <= blocks[i - 1])
                throw new InvalidDataException("The increment's block numbers do not ascend.");
        }
        if (((long)blocks[^1] + 1) * pageSize > _fileSize)
            throw new InvalidDataException($"The increment holds block {blocks[^1]}, which lies beyond the file's {_fileSize} bytes.");
        _pageSize = pageSize;
        _pending = new byte[pageSize];
    }
}
