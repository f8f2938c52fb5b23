using System.Runtime.InteropServices;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Storage;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Storage;

/// <summary>What the store says of a repository that belongs to somebody else; root may look everywhere, so a thread takes another account.</summary>
public sealed partial class ForeignAccountTests
{
    private const long SetUser = 105; // x86-64 and arm64 differ; see SystemCall.

    [Fact]
    public void ARepositoryThatMayNotBeReadIsNotAnEmptyOne()
    {
        Assert.True(Posix.IsRoot, "This test becomes another account; run it as root."); // Asked here, so that it is not first asked in the thread.
        using var folder = new TempFolder();
        string root = folder.Combine("repository");
        Directory.CreateDirectory(Path.Combine(root, "basebackups_005", "base_1"));
        File.WriteAllText(Path.Combine(root, "basebackups_005", "object"), "x");
        File.SetUnixFileMode(root, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var store = new DirectoryStore(root);

        string[] ids = AsNobody<string[]>(() =>
        [
            IdOf(() => store.StatAsync("basebackups_005/object")),
            IdOf(() => store.OpenReadAsync("basebackups_005/object")),
            IdOf(async () => await store.ListAsync("basebackups_005/", recursive: false).GetAsyncEnumerator().MoveNextAsync()),
            IdOf(async () => await store.ListFoldersAsync("basebackups_005/").GetAsyncEnumerator().MoveNextAsync()),
            IdOf(() => store.PutAsync("basebackups_005/other", new byte[1])),
            IdOf(() => store.DeleteAsync(["basebackups_005/object"])),
        ]);

        Assert.Equal(["StorageReadFailed", "StorageReadFailed", "StorageReadFailed", "StorageReadFailed", "StorageWriteFailed", "StorageWriteFailed"], ids);
    }

    private static string IdOf(Func<Task> action)
    {
        try
        {
            action().GetAwaiter().GetResult();
            return "no failure";
        }
        catch (PgBackupException error)
        {
            return error.Id;
        }
    }

    // The system call itself changes one thread, unlike the C library's function, which changes all.
    private static T AsNobody<T>(Func<T> action)
    {
        T? result = default;
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            long number = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 146 : SetUser;
            if (SystemCall(number, 65534) != 0)
                failure = new IOException("setuid was refused");
            else
                result = action();
        });
        thread.Start();
        thread.Join();
        return failure is null ? result! : throw failure;
    }

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial long SystemCall(long number, long argument);
}
