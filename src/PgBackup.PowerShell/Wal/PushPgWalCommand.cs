using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;
using PgBackup.Wal.Push;

namespace PgBackup.PowerShell.Wal;

/// <summary>Stores WAL files in the repository: segments, timeline histories, backup histories, partial segments.</summary>
[Cmdlet(VerbsCommon.Push, "PgWal", DefaultParameterSetName = PathSet)]
[OutputType(typeof(WalPushResult))]
public sealed class PushPgWalCommand : WalCmdlet
{
    private const string PathSet = "Path";
    private const string LiteralPathSet = "LiteralPath";

    private readonly List<string> _files = [];
    private RepositoryArguments? _named;
    private BackupRepository _repository = null!;
    private string _subject = "";

    /// <summary>The files; wildcards are expanded.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = PathSet, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[]? Path { get; set; }

    /// <summary>The files, taken as they are written.</summary>
    [Parameter(Mandatory = true, ParameterSetName = LiteralPathSet, ValueFromPipelineByPropertyName = true)]
    [Alias("PSPath", "FullName")]
    [ValidateNotNullOrEmpty]
    public string[]? LiteralPath { get; set; }

    /// <inheritdoc/>
    protected override string ExitSubject => _subject;

    /// <inheritdoc/>
    protected override void Prepare()
    {
        _subject = string.Join('\n', Path ?? LiteralPath!);
        // Opened once for all the input that names the same: connections to a store are dear.
        RepositoryArguments named = ArgumentsForRepository();
        if (named != _named)
            _repository = BackupRepository.Open(ResolveRepository());
        _named = named;
        _files.Clear();
        if (ParameterSetName == LiteralPathSet)
            _files.AddRange(LiteralPath!.Select(ResolveFolder));
        else
        {
            foreach (string path in Path!)
                _files.AddRange(Expand(path));
        }
    }

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        await foreach (WalPushResult result in WalPushSeries.PushAsync(_repository, _files, pipeline.Log, cancellationToken))
            await pipeline.WriteObjectAsync(result);
    }

    // In the order of the names: the order of the log.
    private IEnumerable<string> Expand(string path)
    {
        if (!WildcardPattern.ContainsWildcardCharacters(path))
            return [ResolveFolder(path)];
        string[] found = [.. GetResolvedProviderPathFromPSPath(path, out ProviderInfo provider).Order(StringComparer.Ordinal)];
        if (provider.Name != "FileSystem")
            throw PgErrors.PathNotInFileSystem(path, null);
        return found.Length > 0 ? found : throw PgErrors.NoFilesMatch(path);
    }
}
