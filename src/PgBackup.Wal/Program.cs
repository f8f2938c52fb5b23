using System.Runtime.InteropServices;
using PgBackup.Errors;
using PgBackup.Wal.Command;
using PgBackup.Wal.Fetch;

switch (args)
{
    case ["--help" or "-h" or "help"]:
        Console.WriteLine(CommandLine.Usage);
        return ExitCodes.Success;
    case ["--version" or "version"]:
        Console.WriteLine($"pgbackup-wal {typeof(CommandLine).Assembly.GetName().Version?.ToString(3)}");
        return ExitCodes.Success;
}
(Invocation? invocation, string? fault) = CommandLine.Parse(args);
if (invocation is null)
{
    StandardError.Line($"{fault}. See pgbackup-wal --help.");
    // A recovery must not take this for the end of the archive, wherever in the line the mistake is: only who surely does not fetch gets the other code.
    return args is ["push" or "check", ..] ? ExitCodes.BadConfiguration : RestoreCommand.Stop;
}

int? signal = null;
using CancellationTokenSource stop = new();
void Stop(PosixSignalContext context, int exitCode)
{
    context.Cancel = true;
    signal ??= exitCode;
    stop.Cancel();
}
using PosixSignalRegistration term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => Stop(context, ExitCodes.Terminated));
using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => Stop(context, ExitCodes.Interrupted));
try
{
    var log = new StandardError(invocation.IsVerbose);
    return invocation.Verb switch
    {
        "push" => await Commands.PushAsync(invocation, log, stop.Token).ConfigureAwait(false),
        "fetch" => await Commands.FetchAsync(invocation, log, stop.Token).ConfigureAwait(false),
        "prefetch" => await Commands.PrefetchAsync(invocation, log, stop.Token).ConfigureAwait(false),
        _ => await CheckCommand.RunAsync(invocation, stop.Token).ConfigureAwait(false),
    };
}
catch (OperationCanceledException) when (signal is not null)
{
    return signal.Value;
}
