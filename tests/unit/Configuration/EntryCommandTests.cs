using System.Diagnostics;
using FsCheck;
using FsCheck.Fluent;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Configuration;

public sealed class EntryCommandTests
{
    [Fact]
    public void ArchiveCommandCallsTheScriptWithThePathAndTheRepository()
    {
        var command = new EntryCommand(new ScriptProgram("/usr/bin/pwsh", "/opt/PgBackup/scripts"), "/srv/repo", windows: false);
        Assert.Equal(
            "'/usr/bin/pwsh' -NoProfile -NonInteractive -File '/opt/PgBackup/scripts/pgbackup-archive.ps1' '%p' -Repository '/srv/repo'",
            command.ArchiveCommand);
        Assert.Equal(
            "'/usr/bin/pwsh' -NoProfile -NonInteractive -File '/opt/PgBackup/scripts/pgbackup-restore-wal.ps1' '%f' '%p' -Repository '/srv/repo'"
            + " || case $? in 74) exit 1;; 143) exit 143;; *) exit 126;; esac",
            command.RestoreCommand);
    }

    [Fact]
    public void WindowsGetsDoubleQuotes()
    {
        var command = new EntryCommand(new ScriptProgram(@"C:\Program Files\PowerShell\7\pwsh.exe", @"C:\Mod\scripts\"), @"D:\a repo\", windows: true);
        Assert.Equal(
            @"""C:\Program Files\PowerShell\7\pwsh.exe"" -NoProfile -NonInteractive -File ""C:\Mod\scripts\pgbackup-archive.ps1"" ""%p"" -Repository ""D:\a repo\\""",
            command.ArchiveCommand);
        var error = Assert.Throws<PgBackupException>(() => new EntryCommand(new ScriptProgram("pwsh.exe", @"C:\s"), @"D:\50%\repo", windows: true).ArchiveCommand);
        Assert.Equal("EntryPathUnusable", error.Id);
    }

    [Fact]
    public void OnlyNotThereEndsTheNativeCommandOfWindowsWithOne()
    {
        // cmd itself ends with 1 when there is no such program.
        var command = new EntryCommand(new NativeProgram(@"C:\Mod\pgbackup-wal.exe"), @"D:\repo", windows: true);
        Assert.Equal(
            @"""C:\Mod\pgbackup-wal.exe"" fetch ""%f"" ""%p"" --repository ""D:\repo"" --not-there 74 || (if errorlevel 75 (exit 126) else (if errorlevel 74 (exit 1) else (exit 126)))",
            command.RestoreCommand);
    }

    [Theory]
    [InlineData("/a\nb")]
    [InlineData("/a\rb")]
    public void LineBreaksAreRefused(string path)
    {
        Assert.Equal("EntryPathUnusable", Assert.Throws<PgBackupException>(() => new EntryCommand(new ScriptProgram("/p", "/s"), path, windows: false).ArchiveCommand).Id);
    }

    [Fact]
    public void AnyPathComesThroughPostgresAndTheShellUnchanged()
    {
        // The server replaces %p, %f and %%, nothing else, then hands the text to sh.
        Prop.ForAll(ArbMap.Default.ArbFor<NonEmptyString>(), (NonEmptyString text) =>
        {
            string path = "/" + string.Concat(text.Get.Where(c => !char.IsControl(c) && !char.IsSurrogate(c)));
            string shell = Expand(new EntryCommand(new ScriptProgram("/bin/echo", "/s"), path, windows: false) { KeyPath = path }.ArchiveCommand, "pg_wal/X");
            return Arguments(shell)[^3..].SequenceEqual([path, "-KeyPath", path]);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public async Task ARealShellReadsHostilePaths()
    {
        string[] paths = ["/it's", "/a b", "/100%", "/%p%f", "/$HOME`id`\\", "/\"q\"", "/;rm -rf *", "/ü€"];
        foreach (string path in paths)
        {
            var command = new EntryCommand(new ScriptProgram("/usr/bin/printf", "%s|"), path, windows: false);
            string shell = Expand(command.ArchiveCommand.Replace("-NoProfile -NonInteractive -File", "", StringComparison.Ordinal), "pg_wal/X")
                .Replace("'%s|/pgbackup-archive.ps1'", "'%s|'", StringComparison.Ordinal);
            ToolResult result = await ToolProcess.RunAsync(new ProcessStartInfo("/bin/sh", ["-c", shell]));
            Assert.Equal($"pg_wal/X|-Repository|{path}|", result.EnsureSuccess().Output);
        }
    }

    [Theory]
    [InlineData("exit 0", 0)]
    [InlineData("exit 74", 1)]
    [InlineData("exit 1", 126)]
    [InlineData("exit 64", 126)]
    [InlineData("exit 143", 143)]
    [InlineData("kill -9 $$", 126)]
    public async Task OnlyNotThereEndsARestoreCommandWithOne(string body, int expected)
    {
        using var folder = new TempFolder();
        string program = folder.Combine("it's pwsh");
        File.WriteAllText(program, $"#!/bin/sh\n{body}\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        string command = new EntryCommand(new ScriptProgram(program, "/s"), "/r", windows: false).RestoreCommand;
        Assert.Equal(expected, (await ToolProcess.RunAsync(new ProcessStartInfo("/bin/sh", ["-c", Expand(command, "pg_wal/RECOVERYXLOG")]))).ExitCode);
        File.Delete(program);
        Assert.Equal(126, (await ToolProcess.RunAsync(new ProcessStartInfo("/bin/sh", ["-c", Expand(command, "pg_wal/RECOVERYXLOG")]))).ExitCode);
    }

    [Fact]
    public void TheNamedProgramGoesBeforeTheRunningOneAndThePath()
    {
        using var folder = new TempFolder();
        string own = folder.Combine("runner");
        string onPath = folder.Combine("pwsh");
        File.WriteAllText(own, "");
        File.WriteAllText(onPath, "");
        var environment = new Dictionary<string, string?> { ["PATH"] = folder.Path };
        string? Read(string name) => environment.GetValueOrDefault(name);

        Assert.Equal("/opt/pwsh", EntryProgram.FindPowerShell("/opt/pwsh", Read));
        Assert.Equal(onPath, EntryProgram.FindPowerShell("/usr/bin/dotnet", Read));
        environment[EntryProgram.Variable] = own;
        Assert.Equal(own, EntryProgram.FindPowerShell("/opt/pwsh", Read));
        environment[EntryProgram.Variable] = folder.Combine("missing");
        Assert.Equal("PowerShellNotFound", Assert.Throws<PgBackupException>(() => EntryProgram.FindPowerShell("/opt/pwsh", Read)).Id);
        environment.Clear();
        Assert.Equal("PowerShellNotFound", Assert.Throws<PgBackupException>(() => EntryProgram.FindPowerShell(null, Read)).Id);
    }

    // PostgreSQL: BuildArchiveCommand / replace_percent_placeholders.
    private static string Expand(string command, string path)
    {
        var text = new System.Text.StringBuilder();
        for (int i = 0; i < command.Length; i++)
        {
            if (command[i] != '%')
            {
                text.Append(command[i]);
                continue;
            }
            i++;
            text.Append(command[i] switch
            {
                '%' => "%",
                'p' => path,
                'f' => Path.GetFileName(path),
                _ => throw new FormatException("An unknown placeholder, which PostgreSQL 16 refuses."),
            });
        }
        return text.ToString();
    }

    // sh: single quotes keep everything; \' between them is a quote.
    private static List<string> Arguments(string shell)
    {
        List<string> arguments = [];
        var word = new System.Text.StringBuilder();
        bool quoted = false;
        for (int i = 0; i <= shell.Length; i++)
        {
            if (i == shell.Length || (shell[i] == ' ' && !quoted))
            {
                arguments.Add(word.ToString());
                word.Clear();
            }
            else if (shell[i] == '\'')
                quoted = !quoted;
            else
                word.Append(shell[i] == '\\' && !quoted ? shell[++i] : shell[i]);
        }
        return arguments;
    }
}
