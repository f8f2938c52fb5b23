using System.Runtime.InteropServices;

namespace PgBackup.Platform;

/// <summary>Memory outside the garbage collector's, at a page's boundary; grows when more is asked for.</summary>
internal sealed unsafe class AlignedBuffer : IDisposable
{
    private void* _memory;
    private int _length;

    /// <summary>Room for so many bytes, whose content is undefined. What was handed out before must not be used any more.</summary>
    public Span<byte> Span(int length)
    {
        if (length > _length || _memory is null)
        {
            Dispose();
            _length = Math.Max(length, DirectFile.Alignment);
            _memory = NativeMemory.AlignedAlloc((nuint)_length, DirectFile.Alignment);
        }
        return new Span<byte>(_memory, length);
    }

    /// <summary>Frees it.</summary>
    public void Dispose()
    {
        NativeMemory.AlignedFree(_memory);
        _memory = null;
        _length = 0;
    }
}
