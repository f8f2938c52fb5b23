using System.Management.Automation;

namespace PgBackup.PowerShell.Pipeline;

/// <summary>
/// What the asynchronous body of a cmdlet sees of PowerShell. Every call may come from any thread and runs on the pipeline's; what
/// that throws (<c>-ErrorAction Stop</c>, <c>Select-Object -First</c>, a stop) reaches the caller, and cancels the body's token.
/// </summary>
public interface IPipeline
{
    /// <summary>The verbose, debug, warning and information streams. Lines of the last carry the tag <c>PgBackup.Audit</c>.</summary>
    IOperationLog Log { get; }

    /// <summary>The progress bar: shown after two seconds, at most four times a second.</summary>
    IProgress<OperationProgress> Progress { get; }

    /// <summary>Writes an object; done when the pipeline has taken it.</summary>
    Task WriteObjectAsync(object value, bool enumerate = false);

    /// <summary>Writes an error that does not end the cmdlet: one item failed and the next one follows.</summary>
    Task WriteErrorAsync(Exception error);

    /// <summary>Writes an error record that does not end the cmdlet.</summary>
    Task WriteErrorAsync(ErrorRecord error);

    /// <summary>Asks <c>ShouldProcess</c>: false for <c>-WhatIf</c> and for a refused confirmation.</summary>
    Task<bool> ShouldProcessAsync(string target, string action);

    /// <summary>Asks <c>ShouldContinue</c>.</summary>
    Task<bool> ShouldContinueAsync(string query, string caption);
}
