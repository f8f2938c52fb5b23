using PgBackup.Repository.Documents;

namespace PgBackup.Backup.Reading;

/// <summary>Numbers of pages of one file, counted within it, of which there may be very many; found by several threads.</summary>
internal sealed class BlockBits
{
    private readonly Lock _lock = new();
    private byte[] _bits = [];

    public void Add(uint block)
    {
        int at = (int)(block / 8);
        lock (_lock)
        {
            if (at >= _bits.Length)
                Array.Resize(ref _bits, Math.Max(at + 1, _bits.Length * 2));
            _bits[at] |= (byte)(1 << (int)(block % 8));
        }
    }

    public BlockBitmap ToBitmap()
    {
        lock (_lock)
            return BlockBitmap.Of(_bits);
    }
}
