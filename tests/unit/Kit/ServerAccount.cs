using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace PgBackup.Tests.Kit;

/// <summary>The account that PostgreSQL runs as: ourselves, or <c>postgres</c> when the tests run as root (the server refuses root).</summary>
public sealed partial class ServerAccount
{
    private const string UnprivilegedName = "postgres";
    private readonly uint _userId;
    private readonly uint _groupId;

    private ServerAccount(string? userName, uint userId, uint groupId)
    {
        UserName = userName;
        _userId = userId;
        _groupId = groupId;
    }

    /// <summary>The account for this process.</summary>
    public static ServerAccount Current { get; } = Find();

    /// <summary>The account's name when it is not our own, else null.</summary>
    public string? UserName { get; }

    /// <summary>A start of a program as this account, in a folder and with a home that it may enter.</summary>
    public ProcessStartInfo StartInfo(string program, params IEnumerable<string> arguments)
    {
        ProcessStartInfo start = new(program, arguments) { WorkingDirectory = "/" };
        if (UserName is not null)
        {
            start.UserName = UserName;
            start.Environment["HOME"] = "/tmp";
            start.Environment["USER"] = UserName;
            start.Environment["LOGNAME"] = UserName;
        }
        foreach (string name in start.Environment.Keys.Where(k => k.StartsWith("PG", StringComparison.Ordinal)).ToArray())
            start.Environment.Remove(name);
        start.Environment["LC_ALL"] = "C";
        return start;
    }

    /// <summary>Runs a program as this account to its end.</summary>
    public Task<ToolResult> RunAsync(string program, IEnumerable<string> arguments, CancellationToken cancellationToken = default) =>
        ToolProcess.RunAsync(StartInfo(program, arguments), cancellationToken);

    /// <summary>Creates a folder that belongs to this account.</summary>
    public string CreateFolder(string path, UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute)
    {
        Directory.CreateDirectory(path);
        File.SetUnixFileMode(path, mode);
        ChangeOwner(path);
        return path;
    }

    /// <summary>Gives a file, or a folder with everything in it, to this account.</summary>
    public void Own(string path)
    {
        if (UserName is null)
            return;
        ChangeOwner(path);
        if (!Directory.Exists(path) || new FileInfo(path).LinkTarget is not null)
            return;
        EnumerationOptions everything = new() { RecurseSubdirectories = true, AttributesToSkip = 0 };
        foreach (string entry in Directory.EnumerateFileSystemEntries(path, "*", everything))
            ChangeOwner(entry);
    }

    private void ChangeOwner(string path)
    {
        if (UserName is not null && LChown(path, _userId, _groupId) != 0)
            throw new IOException($"'{path}' could not be given to '{UserName}': {Marshal.GetLastPInvokeErrorMessage()}");
    }

    private static ServerAccount Find()
    {
        if (!Environment.IsPrivilegedProcess)
            return new ServerAccount(null, 0, 0);
        string[]? entry = File.ReadLines("/etc/passwd").Select(line => line.Split(':')).FirstOrDefault(f => f.Length > 3 && f[0] == UnprivilegedName);
        return entry is null
            ? throw new InvalidOperationException(
                $"The tests run as root and PostgreSQL refuses root, but there is no account '{UnprivilegedName}'. Install the distribution's package postgresql, or run the tests as another user.")
            : new ServerAccount(UnprivilegedName, uint.Parse(entry[2], CultureInfo.InvariantCulture), uint.Parse(entry[3], CultureInfo.InvariantCulture));
    }

    [LibraryImport("libc", EntryPoint = "lchown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LChown(string path, uint owner, uint group);
}
