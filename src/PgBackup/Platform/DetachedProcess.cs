using System.Diagnostics;
using System.Runtime.InteropServices;

namespace PgBackup.Platform;

/// <summary>
/// Starts programs that outlive whoever started them: in a session of their own, with nothing open of the starter's, so that neither a signal to its group reaches them nor a pipe or a
/// socket of the server stays open through them.
/// </summary>
internal static partial class DetachedProcess
{
    private const int ReadWrite = 2;           // O_RDWR
    private const short NewSession = 0x80;     // POSIX_SPAWN_SETSID, glibc
    private const int LargestStructure = 1024; // More than posix_spawnattr_t and posix_spawn_file_actions_t of any C library.

    /// <summary>Starts a program and does not wait for it. Throws <see cref="IOException"/>.</summary>
    /// <param name="program">Its path.</param>
    /// <param name="arguments">What it is told, without its name.</param>
    public static void Start(string program, IReadOnlyList<string> arguments)
    {
        if (!OperatingSystem.IsLinux())
        {
            StartByFramework(program, arguments);
            return;
        }
        int error = Spawn(program, [program, .. arguments]);
        if (error != 0)
            throw new IOException($"'{program}' could not be started: {Marshal.GetPInvokeErrorMessage(error)}", error);
    }

    private static void StartByFramework(string program, IReadOnlyList<string> arguments)
    {
        try
        {
            using Process? process = Process.Start(new ProcessStartInfo(program, arguments) { UseShellExecute = false, CreateNoWindow = true });
        }
        catch (System.ComponentModel.Win32Exception error)
        {
            throw new IOException($"'{program}' could not be started: {error.Message}", error);
        }
    }

    private static unsafe int Spawn(string program, string[] arguments)
    {
        byte* attributes = stackalloc byte[LargestStructure];
        byte* actions = stackalloc byte[LargestStructure];
        nint[] texts = [.. arguments.Select(Marshal.StringToCoTaskMemUTF8), 0];
        try
        {
            _ = InitializeActions(actions);
            _ = InitializeAttributes(attributes);
            _ = SetFlags(attributes, NewSession);
            for (int handle = 0; handle <= 2; handle++)
                _ = AddOpen(actions, handle, "/dev/null", ReadWrite, 0);
            AddCloseOthers(actions);
            fixed (nint* argv = texts)
            {
                int process;
                return PosixSpawn(&process, program, actions, attributes, argv, Environ());
            }
        }
        finally
        {
            _ = DestroyActions(actions);
            _ = DestroyAttributes(attributes);
            foreach (nint text in texts)
                Marshal.FreeCoTaskMem(text);
        }
    }

    private static unsafe void AddCloseOthers(byte* actions)
    {
        try
        {
            _ = AddCloseFrom(actions, 3);
        }
        catch (EntryPointNotFoundException)
        {
            // glibc before 2.34: what the server does not close on exec stays open for a minute longer.
        }
    }

    // The C library's variables: what the framework was told later is not among them.
    private static unsafe nint* Environ() => *(nint**)NativeLibrary.GetExport(NativeLibrary.GetMainProgramHandle(), "environ");

    [LibraryImport("libc", EntryPoint = "posix_spawn", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int PosixSpawn(int* process, string path, byte* actions, byte* attributes, nint* arguments, nint* environment);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_init")]
    private static unsafe partial int InitializeActions(byte* actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_destroy")]
    private static unsafe partial int DestroyActions(byte* actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_addopen", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int AddOpen(byte* actions, int handle, string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_addclosefrom_np")]
    private static unsafe partial int AddCloseFrom(byte* actions, int from);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_init")]
    private static unsafe partial int InitializeAttributes(byte* attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_destroy")]
    private static unsafe partial int DestroyAttributes(byte* attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setflags")]
    private static unsafe partial int SetFlags(byte* attributes, short flags);
}
