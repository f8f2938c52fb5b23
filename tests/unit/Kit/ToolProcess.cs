using System.Diagnostics;

namespace PgBackup.Tests.Kit;

/// <summary>What a program that has ended left behind.</summary>
public sealed record ToolResult(string Command, int ExitCode, string Output, string Error)
{
    /// <summary>Returns this, or throws with everything that the program said when it did not end with 0.</summary>
    public ToolResult EnsureSuccess() => ExitCode == 0
        ? this
        : throw new InvalidOperationException($"'{Command}' ended with {ExitCode}.\n{Output}\n{Error}");
}

/// <summary>Runs a program to its end.</summary>
public static class ToolProcess
{
    /// <summary>Runs the program and collects what it prints. A cancelled token kills it with its children.</summary>
    public static async Task<ToolResult> RunAsync(ProcessStartInfo start, CancellationToken cancellationToken = default)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.RedirectStandardInput = true;
        start.UseShellExecute = false;
        using Process process = Process.Start(start) ?? throw new InvalidOperationException($"'{start.FileName}' did not start.");
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        Task<string> error = process.StandardError.ReadToEndAsync(CancellationToken.None);
        try
        {
            await process.WaitForExitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
        string command = string.Join(' ', new[] { start.FileName }.Concat(start.ArgumentList));
        return new ToolResult(command, process.ExitCode, await output, await error);
    }
}
