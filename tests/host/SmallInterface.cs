using System.Collections.ObjectModel;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Management.Automation.Internal;
using System.Security;

namespace PgBackup.Host;

/// <summary>Output to standard output, everything else to standard error; nobody can be asked.</summary>
internal sealed class SmallInterface(int width) : PSHostUserInterface
{
    /// <inheritdoc/>
    public override PSHostRawUserInterface RawUI { get; } = new SmallRawInterface(width);

    /// <inheritdoc/>
    public override bool SupportsVirtualTerminal => false;

    /// <inheritdoc/>
    public override void Write(string value) => Console.Out.Write(Plain(value));

    /// <inheritdoc/>
    public override void Write(ConsoleColor foregroundColor, ConsoleColor backgroundColor, string value) => Console.Out.Write(Plain(value));

    /// <inheritdoc/>
    public override void WriteLine(string value) => Console.Out.WriteLine(Plain(value));

    /// <inheritdoc/>
    public override void WriteErrorLine(string value) => Console.Error.WriteLine(Plain(value));

    /// <inheritdoc/>
    public override void WriteDebugLine(string message) => Console.Error.WriteLine($"DEBUG: {Plain(message)}");

    /// <inheritdoc/>
    public override void WriteVerboseLine(string message) => Console.Error.WriteLine($"VERBOSE: {Plain(message)}");

    /// <inheritdoc/>
    public override void WriteWarningLine(string message) => Console.Error.WriteLine($"WARNING: {Plain(message)}");

    /// <inheritdoc/>
    public override void WriteProgress(long sourceId, ProgressRecord record)
    {
        // A bar needs a screen; standard output and error here are files and pipes.
    }

    /// <inheritdoc/>
    public override string ReadLine() => throw NobodyThere();

    /// <inheritdoc/>
    public override SecureString ReadLineAsSecureString() => throw NobodyThere();

    /// <inheritdoc/>
    public override Dictionary<string, PSObject> Prompt(string caption, string message, Collection<FieldDescription> descriptions) => throw NobodyThere();

    /// <inheritdoc/>
    public override int PromptForChoice(string caption, string message, Collection<ChoiceDescription> choices, int defaultChoice) => throw NobodyThere();

    /// <inheritdoc/>
    public override PSCredential PromptForCredential(string caption, string message, string userName, string targetName) => throw NobodyThere();

    /// <inheritdoc/>
    public override PSCredential PromptForCredential(
        string caption, string message, string userName, string targetName, PSCredentialTypes allowedCredentialTypes, PSCredentialUIOptions options) => throw NobodyThere();

    // Views hold colours; taking them out is a host's work.
    private static string Plain(string text) => new StringDecorated(text).ToString(OutputRendering.PlainText);

    private static HostException NobodyThere() => new("This host runs commands only: nobody can be asked. Give all parameters, and -Force or -Confirm:$false.");
}
