using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace PgBackup.Platform;

/// <summary>
/// A file that is written past the page cache (Linux, O_DIRECT; open(2), "O_DIRECT"). It saves a copy, and what others keep in the cache stays there.
/// </summary>
internal sealed partial class DirectFile : IDisposable
{
    /// <summary>What addresses, offsets and lengths must be multiples of; a page, which is enough for every disk's block.</summary>
    public const int Alignment = 4096;

    private const int WriteOnly = 1;
    private const int CloseOnExec = 0x80000;
    private const int Interrupted = 4;
    private const int InvalidArgument = 22;

    private readonly SafeFileHandle _handle;
    private volatile bool _refused;

    private DirectFile(SafeFileHandle handle) => _handle = handle;

    // asm/fcntl.h; 0 where we do not know it.
    private static int Flag => !OperatingSystem.IsLinux() ? 0 : RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => 0x4000,
        Architecture.Arm64 => 0x10000,
        _ => 0,
    };

    /// <summary>Opens a file that is there; null where the system or the file system cannot do it.</summary>
    public static DirectFile? TryOpen(string path)
    {
        if (Flag == 0)
            return null;
        int descriptor = Open(path, WriteOnly | CloseOnExec | Flag, 0);
        return descriptor < 0 ? null : new DirectFile(new SafeFileHandle(descriptor, ownsHandle: true));
    }

    /// <summary>
    /// Writes as much of <paramref name="piece"/> as can be written so, from its beginning on, and returns how much that was: the rest is for the ordinary way.
    /// </summary>
    public unsafe int Write(ReadOnlySpan<byte> piece, long offset)
    {
        int whole = piece.Length - (piece.Length % Alignment);
        int done = 0;
        fixed (byte* start = piece)
        {
            if (_refused || (nuint)start % Alignment != 0 || offset % Alignment != 0)
                return 0;
            while (done < whole && done % Alignment == 0)
            {
                nint written = PWrite(_handle, start + done, (nuint)(whole - done), offset + done);
                if (written > 0)
                {
                    done += (int)written;
                    continue;
                }
                int error = Marshal.GetLastPInvokeError();
                if (written < 0 && error == Interrupted)
                    continue;
                // Some file systems let a file be opened so and refuse the write. Other errors are told by the ordinary way, which meets them too.
                _refused |= error == InvalidArgument;
                break;
            }
        }
        return done;
    }

    /// <summary>Closes it.</summary>
    public void Dispose() => _handle.Dispose();

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "pwrite", SetLastError = true)]
    private static unsafe partial nint PWrite(SafeFileHandle handle, byte* buffer, nuint count, long offset);
}
