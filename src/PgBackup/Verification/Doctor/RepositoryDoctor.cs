using System.Diagnostics;
using System.Runtime.CompilerServices;
using PgBackup.Configuration;
using PgBackup.Errors;

namespace PgBackup.Verification.Doctor;

/// <summary>
/// Tries everything that backups and restores need of a repository, and looks for what is amiss in it. Each right is tried with objects of its own below
/// <c>pgbackup_v1/probes/</c>, which are removed however the run ends.
/// </summary>
/// <param name="settings">The repository.</param>
/// <param name="options">What to look at; null for everything.</param>
/// <param name="log">Where it says what it does.</param>
public sealed class RepositoryDoctor(RepositorySettings settings, DoctorOptions? options = null, IOperationLog? log = null)
{
    // The order matters: what cannot be reached cannot be tried, reading wants something that was written, nothing big is left where nothing can be deleted,
    // and what a store cannot do shows in the trying.
    private static readonly Step[] s_steps =
    [
        new(RepositoryCheckName.Connection, ConnectionChecks.ConnectionAsync),
        new(RepositoryCheckName.Credentials, ConnectionChecks.CredentialsAsync),
        new(RepositoryCheckName.List, ConnectionChecks.ListAsync),
        new(RepositoryCheckName.Put, WriteChecks.PutAsync, Writes: true),
        new(RepositoryCheckName.Stat, ReadChecks.StatAsync),
        new(RepositoryCheckName.Get, ReadChecks.GetAsync),
        new(RepositoryCheckName.GetRange, ReadChecks.GetRangeAsync),
        new(RepositoryCheckName.ConditionalPut, WriteChecks.ConditionalPutAsync, Writes: true),
        new(RepositoryCheckName.Copy, WriteChecks.CopyAsync, Writes: true),
        new(RepositoryCheckName.Delete, DeleteChecks.DeleteAsync, Writes: true),
        new(RepositoryCheckName.DeleteMany, DeleteChecks.DeleteManyAsync, Writes: true),
        new(RepositoryCheckName.Multipart, MultipartCheck.RunAsync, Writes: true),
        new(RepositoryCheckName.Latency, SpeedChecks.LatencyAsync),
        new(RepositoryCheckName.Throughput, SpeedChecks.ThroughputAsync, Writes: true),
        new(RepositoryCheckName.Clock, StoreChecks.ClockAsync),
        new(RepositoryCheckName.LeftProbes, LeftProbesCheck.RunAsync),
        new(RepositoryCheckName.Versioning, StoreChecks.VersioningAsync),
        new(RepositoryCheckName.ObjectLock, StoreChecks.ObjectLockAsync),
        new(RepositoryCheckName.Compatibility, StoreChecks.CompatibilityAsync),
        new(RepositoryCheckName.Encryption, EncryptionCheck.RunAsync),
        new(RepositoryCheckName.FreeSpace, StoreChecks.FreeSpaceAsync),
        new(RepositoryCheckName.Writers, WriterChecks.WritersAsync),
        new(RepositoryCheckName.Clusters, ClustersCheck.RunAsync),
        new(RepositoryCheckName.ForeignObjects, ContentChecks.ForeignObjectsAsync),
        new(RepositoryCheckName.UnfinishedUploads, ContentChecks.UnfinishedUploadsAsync),
        new(RepositoryCheckName.UnfinishedBackups, WriterChecks.UnfinishedBackupsAsync),
        new(RepositoryCheckName.DuplicateWal, ContentChecks.DuplicateWalAsync),
    ];

    private readonly DoctorOptions _options = options ?? new DoctorOptions();
    private readonly IOperationLog _log = log ?? OperationLog.None;

    /// <summary>
    /// The checks, each as it is done; a failure of the store is a check that failed, never an exception. Stopped in the middle it removes its probes
    /// first, and throws <c>ProbesLeft</c> when it cannot. May be enumerated once.
    /// </summary>
    public async IAsyncEnumerable<RepositoryCheck> RunAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var context = new DoctorContext(settings, _options);
        bool ended = false;
        try
        {
            foreach (Step step in s_steps)
            {
                // Everything else builds on the first two.
                bool isWanted = IsWanted(step);
                if (!isWanted && step.Name > RepositoryCheckName.Credentials)
                    continue;
                RepositoryCheck check = await RunAsync(step, context, cancellationToken).ConfigureAwait(false);
                if (isWanted || check.Status == CheckStatus.Failed)
                    yield return check;
                if (context.Unusable is not null && _options.Only is null)
                    break; // What was asked for by name says that it was not tried; a long list of that would bury the one line that matters.
            }
            long start = Stopwatch.GetTimestamp();
            CheckFinding? leftovers = await RemoveProbesAsync(context).ConfigureAwait(false);
            ended = true;
            if (leftovers is not null)
                yield return ToCheck(RepositoryCheckName.Delete, leftovers, Stopwatch.GetElapsedTime(start));
        }
        finally
        {
            CheckFinding? leftovers = ended ? null : await RemoveProbesAsync(context).ConfigureAwait(false);
            context.Dispose();
            if (leftovers is not null)
                throw PgErrors.ProbesLeft(leftovers.Message);
        }
    }

    /// <summary>Null when nothing is left, or when that was told already.</summary>
    private static async Task<CheckFinding?> RemoveProbesAsync(DoctorContext context)
    {
        if (!context.IsOpen)
            return null;
        (IReadOnlyCollection<string> keys, PgBackupException? reason) = await context.Probes.RemoveAsync(context.Store).ConfigureAwait(false);
        return keys.Count == 0 || context.CanDelete == false ? null : DeleteChecks.CannotDelete(context, reason);
    }

    private async Task<RepositoryCheck> RunAsync(Step step, DoctorContext context, CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        CheckFinding finding;
        try
        {
            finding = context.Unusable is { } reason ? CheckFinding.Skipped(reason)
                : step.Writes && _options.SkipWrite ? CheckFinding.Skipped("Not tried: it writes.")
                : await step.Run(context, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error)
        {
            finding = CheckFinding.Failed(error);
        }
        RepositoryCheck check = ToCheck(finding.Of ?? step.Name, finding, Stopwatch.GetElapsedTime(start));
        _log.Verbose($"{check}. {check.Message}");
        return check;
    }

    // What writes is left out with SkipWrite, unless it was asked for by name: then it says so.
    private bool IsWanted(Step step) =>
        !_options.Except.Contains(step.Name) && (_options.Only?.Contains(step.Name) ?? !(step.Writes && _options.SkipWrite));

    private RepositoryCheck ToCheck(RepositoryCheckName name, CheckFinding finding, TimeSpan duration) => new()
    {
        Name = name,
        Status = finding.Status,
        Message = finding.Message,
        Recommendation = finding.Recommendation,
        Duration = duration,
        Repository = settings.Location,
    };

    private sealed record Step(RepositoryCheckName Name, Func<DoctorContext, CancellationToken, Task<CheckFinding>> Run, bool Writes = false);
}
