using System.Diagnostics;
using System.Runtime.InteropServices;
using PgBackup.Errors;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.PowerShell;

/// <summary>Exit codes and signals, in processes of their own: the small host, and pwsh where there is one.</summary>
public sealed partial class ShellProcessTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public static TheoryData<ShellProcess> Shells => [.. ShellProcess.All];

    private static string Import => $"Import-Module '{typeof(TestWalCommand).Assembly.Location}'; ";

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Shells))]
    public async Task AFailedWalCommandDecidesTheExitCode(ShellProcess shell)
    {
        await AssertExitCodeAsync(shell, "Test-WalCommand a", ExitCodes.Success);
        await AssertExitCodeAsync(shell, "Test-WalCommand a -Fail 10", ExitCodes.RepositoryMissing);
        await AssertExitCodeAsync(shell, "Test-WalCommand a -Fail 13; Test-WalCommand b", ExitCodes.NothingFound);
        await AssertExitCodeAsync(shell, "Test-WalCommand a -Fail 99; 'next'", ExitCodes.Failed);
    }

    [Theory]
    [MemberData(nameof(Shells))]
    public async Task ASuccessOnTheSameFileMakesItGood(ShellProcess shell)
    {
        await AssertExitCodeAsync(shell, "try { Test-WalCommand a -Fail 10 } catch { 'again' }; Test-WalCommand a", ExitCodes.Success);
        await AssertExitCodeAsync(shell, "try { Test-WalCommand a -Fail 10 } catch { 'again' }; 'a', 'b' | Test-WalCommand", ExitCodes.Success);
    }

    [Theory]
    [MemberData(nameof(Shells))]
    public async Task AnExitOfTheScriptHasTheLastWord(ShellProcess shell) =>
        await AssertExitCodeAsync(shell, "try { Test-WalCommand a -Fail 10 } catch { exit 126 }", 126);

    [Theory]
    [MemberData(nameof(Shells))]
    public async Task SigTermCleansUpAndEndsTheScript(ShellProcess shell)
    {
        string script = WriteScript($"{Import}try {{ Wait-TestSignal '{_folder}' }} catch {{ 'caught' }}; 'went on'");
        ProcessStartInfo start = shell.StartInfo("-File", script);
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        await WaitForAsync(_folder.Combine("begun"));
        Assert.Equal(0, Kill(process.Id, 15));
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(ExitCodes.Terminated, process.ExitCode);
        Assert.True(File.Exists(_folder.Combine("cleaned")));
        Assert.Equal("", await output);
        Assert.Contains("was stopped by a signal", await error, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Shells))]
    public async Task CtrlCCleansUpAndEndsTheScript(ShellProcess shell)
    {
        string script = WriteScript($"{Import}try {{ Wait-TestSignal '{_folder}' }} catch {{ 'caught' }}; 'went on'");
        ProcessStartInfo start = shell.StartInfo("-File", script);
        start.RedirectStandardOutput = true;
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        await WaitForAsync(_folder.Combine("begun"));
        Assert.Equal(0, Kill(process.Id, 2));
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(ExitCodes.Interrupted, process.ExitCode);
        Assert.True(File.Exists(_folder.Combine("cleaned")));
        Assert.Equal("", await output);
    }

    [Theory]
    [MemberData(nameof(Shells))]
    public async Task AnErrorIsPrintedWithItsHint(ShellProcess shell)
    {
        ToolResult result = await shell.RunAsync("-Command", $"{Import}Test-WalCommand a -Fail 10");
        Assert.Contains("Test-WalCommand: The repository '/nowhere' does not exist.", result.Error, StringComparison.Ordinal);
        Assert.Contains("Recommendation: Check the path", result.Error, StringComparison.Ordinal);
        Assert.Equal("", result.Output);
    }

    [Theory]
    [MemberData(nameof(Shells))]
    public async Task ScriptsGetTheirArgumentsAndTablesAreFormatted(ShellProcess shell)
    {
        string script = WriteScript("param([Parameter(Mandatory)] [string] $Name, [switch] $Flag, [int] $Number = 3)\n[pscustomobject] @{ Name = $Name; Flag = $Flag; Number = $Number } | Out-Default\nexit 9");
        ToolResult result = await shell.RunAsync("-File", script, "-Name", "two words", "-Flag", "-Number", "5");
        Assert.Equal(9, result.ExitCode);
        string[] lines = result.Output.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["Name      Flag Number", "----      ---- ------", "two words True      5"], lines);
    }

    private static async Task WaitForAsync(string file)
    {
        for (int i = 0; i < 600 && !File.Exists(file); i++)
            await Task.Delay(50);
        Assert.True(File.Exists(file), $"'{file}' did not appear.");
    }

    private async Task AssertExitCodeAsync(ShellProcess shell, string text, int expected)
    {
        ToolResult command = await shell.RunAsync("-Command", Import + text);
        Assert.True(expected == command.ExitCode, $"-Command ended with {command.ExitCode} instead of {expected}: {command.Output}{command.Error}");
        ToolResult file = await shell.RunAsync("-File", WriteScript(Import + text));
        Assert.True(expected == file.ExitCode, $"-File ended with {file.ExitCode} instead of {expected}: {file.Output}{file.Error}");
    }

    private string WriteScript(string text)
    {
        string script = _folder.Combine("script.ps1");
        File.WriteAllText(script, text);
        return script;
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int pid, int signal);
}
