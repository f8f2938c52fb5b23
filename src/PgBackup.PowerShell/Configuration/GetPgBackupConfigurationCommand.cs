using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.PowerShell.Pipeline;

namespace PgBackup.PowerShell.Configuration;

/// <summary>Tells each value that is in effect and where it came from; a secret is shown as set, never as it is.</summary>
[Cmdlet(VerbsCommon.Get, "PgBackupConfiguration")]
[OutputType(typeof(ConfigurationValue))]
public sealed class GetPgBackupConfigurationCommand : PgServerCmdlet
{
    private readonly List<ConfigurationValue> _values = [];

    /// <summary>The names to show; wildcards are permitted.</summary>
    [Parameter(Position = 0)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[] Name { get; set; } = ["*"];

    /// <inheritdoc/>
    protected override void Prepare()
    {
        WildcardPattern[] patterns = [.. Name.Select(name => WildcardPattern.Get(name, WildcardOptions.IgnoreCase))];
        _values.Clear();
        _values.AddRange(ConfigurationOverview.Read(ArgumentsForRepository(), ArgumentsForServer()).Where(value => Array.Exists(patterns, pattern => pattern.IsMatch(value.Name))));
    }

    /// <inheritdoc/>
    protected override Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken) => pipeline.WriteObjectAsync(_values, enumerate: true);
}
