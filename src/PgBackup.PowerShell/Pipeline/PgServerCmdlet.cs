using System.Management.Automation;

namespace PgBackup.PowerShell.Pipeline;

/// <summary>A cmdlet that works on a repository and talks to a server in one session. What is not given comes from libpq's environment and files.</summary>
public abstract class PgServerCmdlet : PgConnectionCmdlet
{
    /// <summary>The database to connect to.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    public string? Database { get; set; }

    /// <inheritdoc/>
    private protected override string? ConnectionDatabase => string.IsNullOrEmpty(Database) ? null : Database; // A backup of globals from the pipeline has none.
}
