using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.PowerShell.Parameters;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;

namespace PgBackup.PowerShell.Backups;

/// <summary>Lists the base backups of a repository, those that wal-g wrote included.</summary>
[Cmdlet(VerbsCommon.Get, "PgBackup", DefaultParameterSetName = "Filter")]
[OutputType(typeof(ClusterBackup))]
public sealed class GetPgBackupCommand : PgRepositoryCmdlet
{
    private RepositorySettings _settings = null!;

    /// <summary>The names wanted; wildcards are permitted.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("BackupName")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    public string[]? Name { get; set; }

    /// <summary>Only the newest complete backup.</summary>
    [Parameter]
    public SwitchParameter Latest { get; set; }

    /// <summary>Only full backups, or only deltas.</summary>
    [Parameter]
    public BackupType? Type { get; set; }

    /// <summary>Only backups that began at this time or later.</summary>
    [Parameter]
    [TargetTimeTransform]
    public DateTimeOffset? Since { get; set; }

    /// <summary>Only backups that began before this time.</summary>
    [Parameter]
    [TargetTimeTransform]
    public DateTimeOffset? Before { get; set; }

    /// <inheritdoc/>
    protected override void Prepare() => _settings = ResolveRepository();

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        var repository = BackupRepository.Open(_settings);
        var filter = new BackupFilter { Type = Type, Since = Since, Before = Before, LatestOnly = Latest };
        IReadOnlyList<ClusterBackup> found = filter.Apply(await BackupCatalog.ListAsync(repository, cancellationToken), NameMatcher());
        foreach (ClusterBackup backup in found)
            await pipeline.WriteObjectAsync(backup);
        foreach (string name in Name ?? [])
        {
            if (!WildcardPattern.ContainsWildcardCharacters(name) && !found.Any(b => b.Name.Equals(name, StringComparison.OrdinalIgnoreCase)))
                await pipeline.WriteErrorAsync(PgErrors.BackupNotFound(name, repository.Location));
        }
    }

    private Func<string, bool>? NameMatcher()
    {
        if (Name is null)
            return null;
        WildcardPattern[] patterns = [.. Name.Select(name => WildcardPattern.Get(name, WildcardOptions.IgnoreCase))];
        return name => patterns.Any(pattern => pattern.IsMatch(name));
    }
}
