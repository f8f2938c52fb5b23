using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Retention;

namespace PgBackup.PowerShell.Retention;

/// <summary>A cmdlet that holds a retention policy against a repository.</summary>
public abstract class PgRetentionCmdlet : PgRepositoryCmdlet, IDynamicParameters
{
    private readonly RetentionRuleParameters _rules = new();

    /// <summary>The policy, from New-PgRetentionPolicy; rules that are given beside it go before its own.</summary>
    [Parameter(ValueFromPipeline = true)]
    [ValidateNotNull]
    public RetentionPolicy? Policy { get; set; }

    /// <summary>The repository's settings.</summary>
    private protected RepositorySettings Settings { get; private set; } = null!;

    /// <summary>The policy that the parameters make.</summary>
    private protected RetentionPolicy Chosen { get; private set; } = null!;

    /// <inheritdoc/>
    public object GetDynamicParameters() => _rules;

    /// <inheritdoc/>
    protected override void Prepare()
    {
        Chosen = _rules.ToPolicy(Policy);
        Settings = ResolveRepository();
    }
}
