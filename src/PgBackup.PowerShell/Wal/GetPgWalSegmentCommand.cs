using System.Management.Automation;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;
using PgBackup.Wal.Integrity;

namespace PgBackup.PowerShell.Wal;

/// <summary>Lists what the archive holds of the log, in ranges or one by one, and what it misses.</summary>
[Cmdlet(VerbsCommon.Get, "PgWalSegment")]
[OutputType(typeof(WalSegmentRange), typeof(WalSegment))]
public sealed class GetPgWalSegmentCommand : PgRepositoryCmdlet
{
    private BackupRepository _repository = null!;

    /// <summary>Only this timeline.</summary>
    [Parameter(Position = 0)]
    [ValidateRange(1, uint.MaxValue)]
    public uint? Timeline { get; set; }

    /// <summary>Writes every segment that is there as an object of its own, in place of ranges.</summary>
    [Parameter]
    [Alias("Detailed")]
    public SwitchParameter Expand { get; set; }

    /// <inheritdoc/>
    protected override void Prepare() => _repository = BackupRepository.Open(ResolveRepository());

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        TimelineId? timeline = Timeline is { } number ? new TimelineId(number) : null;
        long duplicates = 0;
        if (Expand)
        {
            await foreach (WalSegment segment in WalSegmentLister.ListSegmentsAsync(_repository, timeline, cancellationToken))
            {
                duplicates += segment.Objects.Count - 1;
                await pipeline.WriteObjectAsync(segment);
            }
        }
        else
        {
            await foreach (WalSegmentRange range in WalSegmentLister.ListRangesAsync(_repository, timeline, cancellationToken))
            {
                duplicates += range.DuplicateCount;
                await pipeline.WriteObjectAsync(range);
            }
        }
        if (duplicates > 0)
        {
            pipeline.Log.Warning($"{duplicates} segments of '{_repository.Location}' are there under more than one extension. "
                + "Get-PgWalSegment -Expand | Where-Object { $_.Objects.Count -gt 1 } names them; a restore takes the first object of each.");
        }
    }
}
