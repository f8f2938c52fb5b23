using PgBackup.Configuration;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Configuration;

/// <summary>The native command where it can run, else the scripts.</summary>
public sealed class EntryProgramTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly string _scripts;
    private readonly string _native;

    public EntryProgramTests()
    {
        _scripts = Directory.CreateDirectory(_folder.Combine("module", "scripts")).FullName;
        _native = EntryProgram.NativePath(_scripts);
        Directory.CreateDirectory(Path.GetDirectoryName(_native)!);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TheNativeCommandIsTakenWhereItIs()
    {
        Write(UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Assert.Equal(_native, Assert.IsType<NativeProgram>(EntryProgram.In(_scripts)).Path);
        Assert.StartsWith(_folder.Combine("module", "bin"), _native, StringComparison.Ordinal);
        var command = new EntryCommand(new NativeProgram(_native), "/it's") { ConfigPath = "/c", KeyPath = "/k", KeyTransform = "hex", RequireKey = true };
        Assert.Equal($"'{_native}' push '%p' --config '/c' --repository '/it'\\''s' --key-file '/k' --key-transform 'hex' --require-key", command.ArchiveCommand);
        Assert.Equal($"'{_native}' fetch '%f' '%p' --config '/c' --repository '/it'\\''s' --key-file '/k' --key-transform 'hex' --require-key", command.RestoreCommand);
    }

    [Fact]
    public void WhatIsNotThereOrCannotRunIsNotTaken()
    {
        string? before = Environment.GetEnvironmentVariable(EntryProgram.Variable);
        try
        {
            Environment.SetEnvironmentVariable(EntryProgram.Variable, "/bin/sh");
            Assert.Equal(_scripts, Assert.IsType<ScriptProgram>(EntryProgram.In(_scripts)).Folder);
            Write(UnixFileMode.UserRead | UnixFileMode.UserWrite);
            Assert.IsType<ScriptProgram>(EntryProgram.In(_scripts));
            // Of another C library, or another machine: the file is there, and the system cannot start it.
            Write(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, "\u007fELF\u0002");
            Assert.IsType<ScriptProgram>(EntryProgram.In(_scripts));
            Write(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, "#!/bin/sh\nexit 127\n");
            Assert.IsType<ScriptProgram>(EntryProgram.In(_scripts));
            File.Delete(_native);
            Directory.CreateDirectory(_native);
            Assert.IsType<ScriptProgram>(EntryProgram.In(_scripts));
        }
        finally
        {
            Environment.SetEnvironmentVariable(EntryProgram.Variable, before);
        }
    }

    private void Write(UnixFileMode mode, string text = "#!/bin/sh\nexit 0\n")
    {
        File.WriteAllText(_native, text);
        File.SetUnixFileMode(_native, mode);
    }
}
