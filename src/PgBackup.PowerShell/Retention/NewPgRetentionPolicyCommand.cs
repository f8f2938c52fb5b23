using System.Management.Automation;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Retention;

namespace PgBackup.PowerShell.Retention;

/// <summary>Makes a retention policy, for Get-PgBackupRetention and Remove-PgBackupByRetention.</summary>
[Cmdlet(VerbsCommon.New, "PgRetentionPolicy")]
[OutputType(typeof(RetentionPolicy))]
public sealed class NewPgRetentionPolicyCommand : AsyncPgCmdlet, IDynamicParameters
{
    private readonly RetentionRuleParameters _rules = new();

    /// <inheritdoc/>
    public object GetDynamicParameters() => _rules;

    /// <inheritdoc/>
    protected override Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken) => pipeline.WriteObjectAsync(_rules.ToPolicy(null));
}
