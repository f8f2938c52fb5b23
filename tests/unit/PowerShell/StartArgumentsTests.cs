using PgBackup.PowerShell.Pipeline;

namespace PgBackup.Tests.PowerShell;

public sealed class StartArgumentsTests
{
    [Theory]
    [InlineData("")]
    [InlineData("-NoProfile")]
    [InlineData("-NoLogo -WorkingDirectory /tmp")]
    [InlineData("-NoExit -Command x")]
    [InlineData("-noe -f x.ps1")]
    [InlineData("-ex Bypass -NoProfile")]
    [InlineData("-")]
    [InlineData("-Command -")]
    public void SomebodyIsThere(string arguments) => Assert.False(RunsCommands(arguments));

    [Theory]
    [InlineData("x.ps1")]
    [InlineData("x.ps1 -NoExit")]
    [InlineData("-NoProfile -File x.ps1")]
    [InlineData("-f x.ps1 -noexit")]
    [InlineData("-c Get-Date")]
    [InlineData("-com Get-Date")]
    [InlineData("-NonInteractive")]
    [InlineData("-ec AAAA")]
    [InlineData("-EncodedCommand AAAA")]
    [InlineData("-wd /tmp -ep Bypass -Command x")]
    [InlineData("-ExecutionPolicy Bypass x.ps1")]
    public void CommandsAreRunAndThatIsAll(string arguments) => Assert.True(RunsCommands(arguments));

    private static bool RunsCommands(string arguments) =>
        StartArguments.RunCommandsAndExit(["pwsh.dll", .. arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);
}
