using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.PowerShell.Parameters;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;
using PgBackup.Repository.Dumps;

namespace PgBackup.PowerShell.Backups;

/// <summary>Lists the backups of a repository: base backups, those that wal-g wrote included, and logical backups of databases.</summary>
[Cmdlet(VerbsCommon.Get, "PgBackup", DefaultParameterSetName = "Filter")]
[OutputType(typeof(ClusterBackup), typeof(DatabaseBackup))]
public sealed class GetPgBackupCommand : PgRepositoryCmdlet
{
    private const string CommonTypeName = "PgBackup.Backup";

    private RepositorySettings _settings = null!;

    /// <summary>The names wanted; wildcards are permitted.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("BackupName")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    public string[]? Name { get; set; }

    /// <summary>What the backups are of; every kind when it is not given.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public BackupKind[]? Kind { get; set; }

    /// <summary>Only backups of these databases; wildcards are permitted.</summary>
    [Parameter]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    public string[]? Database { get; set; }

    /// <summary>Only backups with one of these labels; wildcards are permitted.</summary>
    [Parameter]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    public string[]? Label { get; set; }

    /// <summary>Only the newest complete backup of each kind.</summary>
    [Parameter]
    public SwitchParameter Latest { get; set; }

    /// <summary>Only full backups of clusters, or only deltas.</summary>
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
        var filter = new BackupFilter
        {
            IsNamed = Matcher(Name), IsDatabase = Matcher(Database), IsLabel = Matcher(Label), Type = Type, Since = Since, Before = Before, LatestOnly = Latest,
        };
        Task<IReadOnlyList<ClusterBackup>> clusters = Wants(BackupKind.Cluster) ? BackupCatalog.ListAsync(repository, cancellationToken) : Task.FromResult<IReadOnlyList<ClusterBackup>>([]);
        Task<IReadOnlyList<DatabaseBackup>> databases = Wants(BackupKind.Database) ? DumpCatalog.ListAsync(repository, cancellationToken) : Task.FromResult<IReadOnlyList<DatabaseBackup>>([]);
        await Task.WhenAll(clusters, databases);
        List<(DateTimeOffset? Start, string Name, object Backup)> found =
        [
            .. filter.Apply(await clusters).Select(static b => (b.StartTime, b.Name, (object)b)),
            .. filter.Apply(await databases).Select(static b => (b.StartTime, b.Name, (object)b)),
        ];
        bool isMixed = found.Exists(static item => item.Backup is ClusterBackup) && found.Exists(static item => item.Backup is DatabaseBackup);
        foreach ((_, _, object backup) in found.OrderBy(static item => item.Start ?? DateTimeOffset.MaxValue))
            await pipeline.WriteObjectAsync(isMixed ? AsOneOfMany(backup) : backup);
        foreach (string name in Name ?? [])
        {
            if (!WildcardPattern.ContainsWildcardCharacters(name) && !found.Exists(b => b.Name.Equals(name, StringComparison.OrdinalIgnoreCase)))
                await pipeline.WriteErrorAsync(PgErrors.BackupNotFound(name, repository.Location));
        }
    }

    // PowerShell shows what follows in the table of the first object's type, or as lists where it is of another: a name that both have brings a table that both fit.
    private static PSObject AsOneOfMany(object backup)
    {
        var item = new PSObject(backup);
        item.TypeNames.Insert(0, CommonTypeName);
        return item;
    }

    // A type is one of base backups; a database and a label are of logical ones: the other kind need not be listed.
    private bool Wants(BackupKind kind) =>
        (Kind is null || Kind.Contains(kind)) && (kind == BackupKind.Cluster ? Database is null && Label is null : Type is null);

    private static Func<string, bool>? Matcher(string[]? texts)
    {
        if (texts is null)
            return null;
        WildcardPattern[] patterns = [.. texts.Select(text => WildcardPattern.Get(text, WildcardOptions.IgnoreCase))];
        return text => Array.Exists(patterns, pattern => pattern.IsMatch(text));
    }
}
