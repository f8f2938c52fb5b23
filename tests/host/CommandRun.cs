using System.Management.Automation;
using System.Management.Automation.Language;
using System.Management.Automation.Runspaces;

namespace PgBackup.Host;

/// <summary>Runs the script or the command, shows what comes out, and finds the exit code by pwsh's rules.</summary>
internal sealed class CommandRun(SmallHost host, Runspace runspace)
{
    private const int Interrupted = 130;
    private const string Succeeded = "PgBackupHostSucceeded";

    /// <summary>Runs it to its end; Ctrl+C stops it, with its clean-up.</summary>
    public int Execute(HostArguments arguments)
    {
        if (arguments.File is { } file && !File.Exists(file))
        {
            host.UI.WriteErrorLine($"The script '{file}' does not exist.");
            return 64;
        }
        using Pipeline pipeline = runspace.CreatePipeline();
        try
        {
            pipeline.Commands.Add(arguments.File is null ? TextCommand(arguments.Command!) : ScriptCommand(arguments.File, arguments.ScriptArguments));
        }
        catch (ParseException error)
        {
            Show(error.ErrorRecord);
            return 1;
        }
        pipeline.Commands[0].MergeMyResults(PipelineResultTypes.Error, PipelineResultTypes.Output);
        pipeline.Commands.Add("Out-Default");
        bool interrupted = false;
        void Interrupt(object? sender, ConsoleCancelEventArgs args)
        {
            args.Cancel = true;
            interrupted = true;
            pipeline.StopAsync();
        }

        Console.CancelKeyPress += Interrupt;
        try
        {
            pipeline.Invoke();
        }
        catch (PipelineStoppedException)
        {
            return host.ExitCode ?? 1;
        }
        catch (ParseException error) when (arguments.File is null)
        {
            // The view of an error that has no place in a script is empty for this one.
            host.UI.WriteErrorLine($"ParserError: {error.Message}");
            return 1;
        }
        catch (RuntimeException error)
        {
            Show(error.ErrorRecord);
            // As in pwsh: a script that throws ends with 1, whatever a command asked for.
            return arguments.File is null ? host.ExitCode ?? 1 : 1;
        }
        finally
        {
            Console.CancelKeyPress -= Interrupt;
        }
        // A stopped pipeline returns as if it had come to its end.
        return host.ExitCode ?? (interrupted ? Interrupted : arguments.File is null && !LastSucceeded() ? 1 : 0);
    }

    // The last line keeps whether the one before it succeeded, which decides the exit code.
    private static Command TextCommand(string text) => new($"{text}\n$global:{Succeeded} = $?", isScript: true, useLocalScope: false);

    // As a function of the script's name: an "exit" in a script file would end the file only, and pwsh's way around that is internal to it.
    private Command ScriptCommand(string file, IReadOnlyList<string> arguments)
    {
        string path = Path.GetFullPath(file);
        string name = Path.GetFileName(path);
        ScriptBlockAst script = Parser.ParseFile(path, out _, out ParseError[] errors);
        if (errors.Length > 0)
            throw new ParseException(errors);
        runspace.SessionStateProxy.InvokeProvider.Item.Set($"function:{WildcardPattern.Escape(name)}", script.GetScriptBlock());
        Command command = new(name, isScript: false, useLocalScope: false);
        foreach (string argument in arguments)
        {
            bool isName = argument.Length > 1 && argument[0] == '-' && (char.IsAsciiLetter(argument[1]) || argument[1] == '_');
            if (!isName)
            {
                command.Parameters.Add(null, argument);
                continue;
            }
            int colon = argument.IndexOf(':', StringComparison.Ordinal);
            if (colon < 0)
                command.Parameters.Add(argument, null);
            else
                command.Parameters.Add(argument[..colon], SwitchValue(argument[(colon + 1)..]));
        }
        return command;
    }

    private static object SwitchValue(string text) => text.ToLowerInvariant() switch
    {
        "$true" => true,
        "$false" => false,
        _ => text,
    };

    private bool LastSucceeded() => runspace.SessionStateProxy.GetVariable(Succeeded) is true;

    private void Show(ErrorRecord record)
    {
        using Pipeline pipeline = runspace.CreatePipeline();
        pipeline.Commands.Add("Out-Default");
        // The note by which PowerShell knows that an object in the output is an error, and sends it there.
        PSObject error = PSObject.AsPSObject(record);
        error.Properties.Add(new PSNoteProperty("writeErrorStream", true));
        pipeline.Input.Write(error);
        pipeline.Invoke();
    }
}
