using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace PgBackup.Platform;

/// <summary>What .NET does not offer of POSIX: folders synced, owners, links, nanoseconds.</summary>
internal static partial class Posix
{
    private const int ReadOnlyDirectory = 0x10000; // O_RDONLY | O_DIRECTORY on Linux; macOS ignores the second for folders.
    private const int AtFdCwd = -100;
    private const int AtSymlinkNoFollow = 0x100;

    private const int NoEntry = 2;
    private const int NotADirectory = 20;
    private const int FileExists = 17;
    private const int Sigterm = 15;
    private static readonly int s_linkLoop = OperatingSystem.IsMacOS() ? 62 : 40;

    /// <summary>True when files made by this process would belong to root.</summary>
    public static bool IsRoot { get; } = !OperatingSystem.IsWindows() && EffectiveUser() == 0;

    /// <summary>The account that files made by this process belong to.</summary>
    public static uint User => EffectiveUser();

    /// <summary>
    /// Makes the entries of a folder durable: after a create or a rename the file's own fsync is not enough (fsync(2), Notes).
    /// Windows has no such call and needs none.
    /// </summary>
    public static void SyncDirectory(string path)
    {
        if (OperatingSystem.IsWindows())
            return;
        int handle = Open(path, OperatingSystem.IsLinux() ? ReadOnlyDirectory : 0, 0);
        if (handle < 0)
            throw LastError($"open the folder '{path}'");
        try
        {
            if (FSync(handle) != 0)
                throw LastError($"sync the folder '{path}'");
        }
        finally
        {
            _ = Close(handle);
        }
    }

    /// <summary>A second name for a file; false when the name is taken.</summary>
    public static bool TryLink(string existing, string name)
    {
        if (Link(existing, name) == 0)
            return true;
        if (Marshal.GetLastPInvokeError() == FileExists)
            return false;
        throw LastError($"link '{name}'");
    }

    /// <summary>Renames, over what has the new name; of a link itself, which the framework does not where it leads to a folder.</summary>
    public static void Rename(string path, string name)
    {
        if (RenameCall(path, name) != 0)
            throw LastError($"rename '{path}' to '{name}'");
    }

    /// <summary>The numeric owner and group of a path (links followed).</summary>
    public static unsafe (uint User, uint Group) OwnerOf(string path)
    {
        StatX buffer;
        if (StatXCall(AtFdCwd, path, 0, 0x7ff, &buffer) != 0)
            throw LastError($"read the owner of '{path}'");
        return (buffer.User, buffer.Group);
    }

    /// <summary>Gives a path (the link itself, where it is one) to an account.</summary>
    public static void ChangeOwner(string path, uint user, uint group)
    {
        if (LChown(path, user, group) != 0)
            throw LastError($"give '{path}' to user {user}");
    }

    /// <summary>Gives an open file to an account.</summary>
    public static void ChangeOwner(SafeFileHandle handle, uint user, uint group)
    {
        if (FChown(handle, user, group) != 0)
            throw LastError($"give an open file to user {user}");
    }

    /// <summary>Size, permission bits and modification time to the nanosecond, of an open file.</summary>
    public static unsafe FileFacts FactsOf(SafeFileHandle handle)
    {
        StatX buffer;
        bool added = false;
        try
        {
            handle.DangerousAddRef(ref added);
            if (StatXCall((int)handle.DangerousGetHandle(), "", 0x1000 /* AT_EMPTY_PATH */, 0x7ff, &buffer) != 0)
                throw LastError("read the facts of an open file");
        }
        finally
        {
            if (added)
                handle.DangerousRelease();
        }
        return buffer.ToFacts();
    }

    /// <summary>Size, mode and modification time of a path, or of what a link there leads to; null when there is nothing.</summary>
    public static unsafe FileFacts? FactsOf(string path, bool followLinks = false)
    {
        StatX buffer;
        if (StatXCall(AtFdCwd, path, followLinks ? 0 : AtSymlinkNoFollow, 0x7ff, &buffer) == 0)
            return buffer.ToFacts();
        int error = Marshal.GetLastPInvokeError();
        // A link that leads back to itself leads nowhere.
        return error is NoEntry or NotADirectory || (followLinks && error == s_linkLoop) ? null : throw LastError($"read the facts of '{path}'");
    }

    /// <summary>Sets the modification time of an open file, to the nanosecond where the file system keeps it so; the access time stays.</summary>
    public static unsafe void SetModified(SafeFileHandle handle, FileTime time)
    {
        long* times = stackalloc long[4];
        (times[0], times[1]) = (0, OperatingSystem.IsMacOS() ? -2 : (1L << 30) - 2); // UTIME_OMIT
        (times[2], times[3]) = (time.Seconds, time.Nanoseconds);
        if (FUTimeNs(handle, times) != 0)
            throw LastError("set the time of an open file");
    }

    /// <summary>Asks the kernel to begin writing a range of a file, so that the sync at its end has little left to do.</summary>
    public static void BeginWriteBack(SafeFileHandle handle, long offset, long length)
    {
        if (OperatingSystem.IsLinux())
            _ = SyncFileRange(handle, offset, length, 2 /* SYNC_FILE_RANGE_WRITE */);
    }

    /// <summary>The ids of an account by its name; null when there is no such account.</summary>
    public static unsafe (uint User, uint Group, string Home)? AccountNamed(string name)
    {
        Passwd entry;
        Passwd* found;
        byte[] buffer = new byte[16 * 1024];
        fixed (byte* memory = buffer)
        {
            if (GetPwNam(name, &entry, memory, (nuint)buffer.Length, &found) != 0 || found == null)
                return null;
            return (found->User, found->Group, Marshal.PtrToStringUTF8((nint)found->Home) ?? "/");
        }
    }

    /// <summary>The name of an account by its id; null when there is no such account.</summary>
    public static unsafe string? AccountName(uint user)
    {
        Passwd entry;
        Passwd* found;
        byte[] buffer = new byte[16 * 1024];
        fixed (byte* memory = buffer)
        {
            if (GetPwUid(user, &entry, memory, (nuint)buffer.Length, &found) != 0 || found == null)
                return null;
            return Marshal.PtrToStringUTF8((nint)found->Name);
        }
    }

    /// <summary>The groups of an account, its own among them.</summary>
    public static unsafe uint[] GroupsOf(string name, uint group)
    {
        int count = 256;
        uint[] groups = new uint[count];
        fixed (uint* memory = groups)
        {
            if (GetGroupList(name, group, memory, &count) < 0)
                return [group];
        }
        return groups[..count];
    }

    /// <summary>Sets a variable of the process for libraries that are not the framework's, which do not see what the framework sets.</summary>
    public static void SetVariable(string name, string value)
    {
        if (SetEnv(name, value, 1) != 0)
            throw LastError($"set the variable {name}");
    }

    private static IOException LastError(string action)
    {
        int error = Marshal.GetLastPInvokeError();
        string message = $"Could not {action}: {new Win32Exception(error).Message}";
        // The framework's own kinds, so that callers catch one thing for both.
        return error switch
        {
            NoEntry => new DirectoryNotFoundException(message),
            _ => new IOException(message, error),
        };
    }

    /// <summary>Asks a process to end (SIGTERM). One that has gone is none.</summary>
    public static void Terminate(int process) => _ = Kill(process, Sigterm);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int handle);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(int handle);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string existing, string name);

    [LibraryImport("libc", EntryPoint = "rename", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameCall(string path, string name);

    [LibraryImport("libc", EntryPoint = "setenv", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnv(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUser();

    [LibraryImport("libc", EntryPoint = "lchown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LChown(string path, uint user, uint group);

    [LibraryImport("libc", EntryPoint = "fchown", SetLastError = true)]
    private static partial int FChown(SafeFileHandle handle, uint user, uint group);

    [LibraryImport("libc", EntryPoint = "futimens", SetLastError = true)]
    private static unsafe partial int FUTimeNs(SafeFileHandle handle, long* times);

    [LibraryImport("libc", EntryPoint = "sync_file_range", SetLastError = true)]
    private static partial int SyncFileRange(SafeFileHandle handle, long offset, long length, uint flags);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int StatXCall(int directory, string path, int flags, uint mask, StatX* buffer);

    [LibraryImport("libc", EntryPoint = "getpwnam_r", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int GetPwNam(string name, Passwd* entry, byte* buffer, nuint length, Passwd** result);

    [LibraryImport("libc", EntryPoint = "getpwuid_r")]
    private static unsafe partial int GetPwUid(uint user, Passwd* entry, byte* buffer, nuint length, Passwd** result);

    [LibraryImport("libc", EntryPoint = "getgrouplist", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int GetGroupList(string name, uint group, uint* groups, int* count);

    [StructLayout(LayoutKind.Sequential)]
    private unsafe struct Passwd
    {
        public byte* Name;
        public byte* Password;
        public uint User;
        public uint Group;
        public byte* Gecos;
        public byte* Home;
        public byte* Shell;
    }

    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct StatX
    {
        [FieldOffset(16)]
        public uint Links;

        [FieldOffset(20)]
        public uint User;

        [FieldOffset(24)]
        public uint Group;

        [FieldOffset(28)]
        public ushort Mode;

        [FieldOffset(32)]
        public ulong Inode;

        [FieldOffset(40)]
        public ulong Size;

        [FieldOffset(96)]
        public long ChangedSeconds;

        [FieldOffset(104)]
        public uint ChangedNanoseconds;

        [FieldOffset(112)]
        public long ModifiedSeconds;

        [FieldOffset(120)]
        public uint ModifiedNanoseconds;

        [FieldOffset(136)]
        public ulong Device; // Major and minor number.

        public readonly FileFacts ToFacts() => new(
            (long)Size, Mode, new FileTime(ModifiedSeconds, (int)ModifiedNanoseconds), new FileTime(ChangedSeconds, (int)ChangedNanoseconds))
        {
            Links = Links,
            User = User,
            Identity = (Device, Inode),
        };
    }
}

/// <summary>Size, mode (type and permission bits) and times of a file.</summary>
/// <param name="Size">Its bytes.</param>
/// <param name="Mode">Type and permission bits.</param>
/// <param name="Modified">When its content was changed last, or what somebody said of that.</param>
/// <param name="Changed">When content, name or attributes were changed last; nobody can set it.</param>
internal readonly record struct FileFacts(long Size, ushort Mode, FileTime Modified, FileTime Changed)
{
    /// <summary>How many names it has.</summary>
    public uint Links { get; init; }

    /// <summary>The account that it belongs to.</summary>
    public uint User { get; init; }

    /// <summary>The same for two paths to one file, and for no others.</summary>
    public (ulong Device, ulong Inode) Identity { get; init; }

    /// <summary>The permission bits alone.</summary>
    public UnixFileMode Permissions => (UnixFileMode)(Mode & 0xfff);

    /// <summary>True for a folder.</summary>
    public bool IsDirectory => (Mode & 0xf000) == 0x4000;

    /// <summary>True for a symbolic link.</summary>
    public bool IsLink => (Mode & 0xf000) == 0xa000;

    /// <summary>True for a regular file.</summary>
    public bool IsRegular => (Mode & 0xf000) == 0x8000;
}
