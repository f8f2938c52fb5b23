using System.Management.Automation;
using System.Management.Automation.Runspaces;
using PgBackup.Errors;

namespace PgBackup.PowerShell.Pipeline;

/// <summary>
/// The exit code of a process that was started to run commands: PowerShell itself ends with 0 after
/// <c>-File</c> of a script in which a cmdlet failed, and after <c>-Command "A; B"</c> with a failed A. An interactive shell is never closed.
/// </summary>
internal static class ExitCodePolicy
{
    private static readonly OpenFailures s_open = new();
    private static readonly bool s_runsCommands = StartArguments.RunCommandsAndExit(Environment.GetCommandLineArgs());

    /// <summary>Notes a failure of the command on its subject. The exit code is the worst of the failures that are open.</summary>
    public static void Failed(PSCmdlet cmdlet, string subject, int exitCode)
    {
        if (!s_runsCommands || RunsInsidePester())
            return;
        cmdlet.Host.SetShouldExit(s_open.Add(Key(cmdlet, subject), exitCode));
    }

    /// <summary>Sets the exit code of a script that Ctrl+C stopped; pwsh itself ends with 0 then.</summary>
    public static void Interrupted(PSCmdlet cmdlet)
    {
        // Only where the script itself runs: a job that the script stops is no interruption of the script.
        if (s_runsCommands && Runspace.DefaultRunspace?.Id == 1)
            cmdlet.Host.SetShouldExit(ExitCodes.Interrupted);
    }

    /// <summary>Notes a success: it makes good a failure on the same subject, and when that was the last one, the exit code is 0 again.</summary>
    public static void Succeeded(PSCmdlet cmdlet, string subject)
    {
        if (s_open.Remove(Key(cmdlet, subject)) is { } worst)
            cmdlet.Host.SetShouldExit(worst);
    }

    private static string Key(PSCmdlet cmdlet, string subject) => $"{cmdlet.MyInvocation.MyCommand.Name}\n{subject}";

    // A test run tells its own result, and tests make commands fail on purpose; Pester does not set an exit code when all passed.
    private static bool RunsInsidePester() =>
        Runspace.DefaultRunspace?.Debugger?.GetCallStack().Any(frame => frame.InvocationInfo?.MyCommand?.ModuleName == "Pester") == true;
}
