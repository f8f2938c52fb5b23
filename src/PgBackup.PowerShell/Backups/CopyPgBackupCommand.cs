using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.Copy;
using PgBackup.Errors;
using PgBackup.PowerShell.Parameters;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;
using PgBackup.Repository.Dumps;
using PgBackup.Storage.S3;

namespace PgBackup.PowerShell.Backups;

/// <summary>Copies backups, with all that their restore needs, from one repository into another.</summary>
[Cmdlet(VerbsCommon.Copy, "PgBackup", DefaultParameterSetName = NameSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(BackupCopyResult))]
public sealed class CopyPgBackupCommand : PgRepositoryCmdlet
{
    private const string NameSet = "Name";
    private const string ObjectSet = "InputObject";

    private readonly List<SourceRequest> _requests = [];
    private PgBackupException? _refused;
    private RepositorySettings _destination = null!;

    /// <summary>The names of the backups; wildcards are permitted. All complete ones when neither names nor objects are given.</summary>
    [Parameter(Position = 0, ParameterSetName = NameSet)]
    [Alias("BackupName")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    public string[]? Name { get; set; }

    /// <summary>The backups of clusters, from Get-PgBackup.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = ObjectSet)]
    [ValidateNotNull]
    public object? InputObject { get; set; }

    /// <summary>Only the newest complete backup.</summary>
    [Parameter(ParameterSetName = NameSet)]
    public SwitchParameter Latest { get; set; }

    /// <summary>The repository to copy into: s3://bucket/prefix, a folder, or a name of the configuration file.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    [ValidateNotNullOrEmpty]
    public string? Destination { get; set; }

    /// <summary>The address of the destination's store.</summary>
    [Parameter]
    public Uri? DestinationEndpointUrl { get; set; }

    /// <summary>The region of the destination's store.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? DestinationRegion { get; set; }

    /// <summary>The profile of the AWS tools' shared files that holds the credential of the destination's store.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? DestinationProfileName { get; set; }

    /// <summary>The credential of the destination's store: the access key as the user name, the secret key as the password.</summary>
    [Parameter]
    [CredentialTransform]
    public PSCredential? DestinationCredential { get; set; }

    /// <summary>Copies all WAL from the oldest of the backups to the newest in the archive along.</summary>
    [Parameter]
    public SwitchParameter WithHistory { get; set; }

    /// <summary>Accepts a cluster that the destination does not know yet, beside those that it knows.</summary>
    [Parameter]
    public SwitchParameter NewLineage { get; set; }

    /// <summary>How many objects are copied at once.</summary>
    [Parameter]
    [ValidateRange(1, 64)]
    public int ThrottleLimit { get; set; } = CopyOptions.DefaultThrottleLimit;

    /// <summary>The bytes that may be copied a second, for example 50MB.</summary>
    [Parameter]
    [ByteSizeTransform]
    public ByteSize? RateLimit { get; set; }

    /// <inheritdoc/>
    protected override void Prepare()
    {
        _destination = RepositorySettings.Resolve(new RepositoryArguments
        {
            Repository = Destination!.AsSpan().ContainsAny('/', '\\', ':') && !Destination!.Contains("://", StringComparison.Ordinal) ? ResolveFolder(Destination!) : Destination,
            WorkingFolder = WorkingFolder,
            ConfigPath = ResolvedConfigPath,
            EndpointUrl = DestinationEndpointUrl,
            Region = DestinationRegion,
            ProfileName = DestinationProfileName,
            StorageCredential = DestinationCredential is null
                ? null
                : new S3Credential(DestinationCredential.UserName, new SecretText(DestinationCredential.GetNetworkCredential().Password)),
        });
        // A backup tells where it is; a repository that was named goes before that.
        ClusterBackup? backup = InputOf(InputObject);
        if (_refused is not null)
            return;
        if (backup is not null && Repository is null)
            Repository = backup.Repository;
        RepositorySettings source = ResolveRepository();
        SourceRequest? request = _requests.Find(r => r.Settings.Location == source.Location);
        if (request is null)
            _requests.Add(request = new SourceRequest(source, []));
        if (backup is not null)
            request.Names.Add(backup.Name);
    }

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        if (_refused is not null)
            await pipeline.WriteErrorAsync(_refused);
    }

    /// <inheritdoc/>
    protected override async Task EndAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        foreach (SourceRequest request in _requests)
            await CopyAsync(request, pipeline, cancellationToken);
    }

    // Not of the type ClusterBackup: then a database's backup would bind by its repository alone, and everything in there would be copied.
    private ClusterBackup? InputOf(object? input)
    {
        object? value = input is PSObject wrapped ? wrapped.BaseObject : input;
        _refused = value switch
        {
            null or ClusterBackup => null,
            DatabaseBackup other => PgErrors.DatabaseBackupNotCopied(other.Name, other.Repository),
            _ => PgErrors.BackupObjectInvalid(value.GetType().Name),
        };
        return value as ClusterBackup;
    }

    private async Task CopyAsync(SourceRequest request, IPipeline pipeline, CancellationToken cancellationToken)
    {
        BackupRepository source = BackupRepository.Open(request.Settings), target = BackupRepository.Open(_destination);
        IReadOnlyList<ClusterBackup> catalog = await BackupCatalog.ListAsync(source, cancellationToken);
        var options = new CopyOptions { WithHistory = WithHistory, NewLineage = NewLineage, ThrottleLimit = ThrottleLimit, RateLimit = RateLimit };
        IReadOnlyList<ClusterBackup> wanted = await ChooseAsync(request, catalog, source.Location, pipeline);
        await using RepositoryCopy copy = await RepositoryCopy.PrepareAsync(source, target, wanted, catalog, options, pipeline.Log, pipeline.Progress, cancellationToken);
        foreach (BackupCopyResult refused in copy.Refused)
            await WriteAsync(refused, pipeline);
        var declined = new List<PlannedBackup>();
        foreach (PlannedBackup backup in copy.Backups.Where(b => !b.IsPresent))
        {
            if (!await pipeline.ShouldProcessAsync($"Backup {backup.Name} of '{source.Location}'", $"Copy {backup.ObjectCount} objects, {backup.Size}, into '{target.Location}'"))
                declined.Add(backup);
        }
        declined.ForEach(copy.Exclude);
        if (declined.Count > 0 && copy.Backups.All(b => b.IsPresent))
            return;
        await foreach (BackupCopyResult result in copy.RunAsync(cancellationToken))
            await WriteAsync(result, pipeline);
    }

    private static async Task WriteAsync(BackupCopyResult result, IPipeline pipeline)
    {
        if (result.Failure is not null)
            await pipeline.WriteErrorAsync(result.Failure);
        await pipeline.WriteObjectAsync(result);
    }

    private async Task<IReadOnlyList<ClusterBackup>> ChooseAsync(SourceRequest request, IReadOnlyList<ClusterBackup> catalog, string location, IPipeline pipeline)
    {
        if (ParameterSetName == ObjectSet)
        {
            var found = catalog.Where(b => request.Names.Contains(b.Name)).ToList();
            foreach (string name in request.Names.Where(n => !found.Exists(b => b.Name == n)).Distinct(StringComparer.Ordinal))
                await pipeline.WriteErrorAsync(PgErrors.BackupNotFound(name, location));
            return found;
        }
        var exact = new HashSet<string>((Name ?? []).Where(n => !WildcardPattern.ContainsWildcardCharacters(n)), StringComparer.OrdinalIgnoreCase);
        WildcardPattern[] patterns = [.. (Name ?? ["*"]).Select(n => WildcardPattern.Get(n, WildcardOptions.IgnoreCase))];
        IReadOnlyList<ClusterBackup> named = new BackupFilter { LatestOnly = Latest, IsNamed = name => Array.Exists(patterns, p => p.IsMatch(name)) }.Apply(catalog);
        foreach (string name in exact.Where(n => !named.Any(b => b.Name.Equals(n, StringComparison.OrdinalIgnoreCase))))
            await pipeline.WriteErrorAsync(Missing(name, location));
        // What a pattern meets by chance and is no backup yet, or none any more, is no failure.
        return [.. named.Where(b => b.Status is BackupStatus.Complete or BackupStatus.Damaged || exact.Contains(b.Name))];
    }

    private static PgBackupException Missing(string name, string location) =>
        DumpLayout.IsName(name) ? PgErrors.DatabaseBackupNotCopied(name, location) : PgErrors.BackupNotFound(name, location);

    private sealed record SourceRequest(RepositorySettings Settings, List<string> Names);
}
