using System.Management.Automation;
using PgBackup.Errors;

namespace PgBackup.PowerShell.Pipeline;

/// <summary>Error records out of failures.</summary>
internal static class ErrorRecords
{
    /// <summary>The id of a failure that the catalogue does not know.</summary>
    internal const string Unexpected = "UnexpectedFailure";

    private const string UnexpectedHint =
        "This is a defect of PgBackup. Run the command again with -Verbose and report it with what $Error[0].Exception.ToString() prints; check first that it holds no secret.";

    /// <summary>The record of a failure: id, category and target of the catalogue; the hint as the recommended action, which the default view prints below the message.</summary>
    public static ErrorRecord ToErrorRecord(this Exception error) => error switch
    {
        PgBackupException known => Make(known, known.Id, Enum.Parse<ErrorCategory>(known.Kind.ToString()), known.ErrorTarget, known.Hint),
        TypeInitializationException { InnerException: { } inner } => inner.ToErrorRecord(),
        DllNotFoundException => Make(
            error, "NativeLibraryMissing", ErrorCategory.NotInstalled, null, "Install the module again, as a whole, on a system and a processor that it supports."),
        _ => Make(error, Unexpected, ErrorCategory.NotSpecified, null, UnexpectedHint),
    };

    /// <summary>The record of an operation that SIGTERM or SIGHUP ended.</summary>
    public static ErrorRecord Terminated(string command) => Make(
        new OperationCanceledException($"{command} was stopped by a signal, and has cleaned up."),
        "OperationStopped", ErrorCategory.OperationStopped, command, "Run the command again when the machine or the service manager lets it finish.");

    private static ErrorRecord Make(Exception error, string id, ErrorCategory category, object? target, string hint) =>
        new(error, id, category, target)
        {
            ErrorDetails = new ErrorDetails(error.Message) { RecommendedAction = hint },
        };
}
