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
    private static readonly Lock s_lock = new();
    private static readonly HashSet<string> s_failed = new(StringComparer.Ordinal);
    private static readonly bool s_runsCommands = StartArguments.RunCommandsAndExit(Environment.GetCommandLineArgs());

    /// <summary>Notes a failure of the command on its subject and sets the exit code.</summary>
    public static void Failed(PSCmdlet cmdlet, string subject, int exitCode)
    {
        if (!s_runsCommands || RunsInsidePester())
            return;
        lock (s_lock)
            s_failed.Add(Key(cmdlet, subject));
        cmdlet.Host.SetShouldExit(exitCode);
    }

    /// <summary>Sets the exit code of a script that Ctrl+C stopped; pwsh itself ends with 0 then.</summary>
    public static void Interrupted(PSCmdlet cmdlet)
    {
        // Only where the script itself runs: a job that the script stops is no interruption of the script.
        if (s_runsCommands && Runspace.DefaultRunspace?.Id == 1)
            cmdlet.Host.SetShouldExit(ExitCodes.Interrupted);
    }

    /// <summary>Notes a success: when it makes good the last of the failures, the exit code is 0 again.</summary>
    public static void Succeeded(PSCmdlet cmdlet, string subject)
    {
        bool reset;
        lock (s_lock)
            reset = s_failed.Remove(Key(cmdlet, subject)) && s_failed.Count == 0;
        if (reset)
            cmdlet.Host.SetShouldExit(0);
    }

    private static string Key(PSCmdlet cmdlet, string subject) => $"{cmdlet.MyInvocation.MyCommand.Name}\n{subject}";

    // A test run tells its own result, and tests make commands fail on purpose; Pester does not set an exit code when all passed.
    private static bool RunsInsidePester() =>
        Runspace.DefaultRunspace?.Debugger?.GetCallStack().Any(frame => frame.InvocationInfo?.MyCommand?.ModuleName == "Pester") == true;
}
