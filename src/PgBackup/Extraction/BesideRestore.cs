using System.Diagnostics;
using System.Globalization;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Restore.Fetching;
using PgBackup.Restore.Planning;
using PgBackup.Restore.Starting;

namespace PgBackup.Extraction;

/// <summary>Brings the files of a plan, or those of one database, into a scratch folder, with settings of their own: nothing of the source's configuration comes to be.</summary>
internal sealed class BesideRestore(
    BackupRepository repository, RestorePlan plan, ScratchFolder scratch, FileOwner? owner, int workers, IOperationLog log, IProgress<OperationProgress> progress)
{
    /// <summary>Restores. Throws what <see cref="BackupFetcher.FetchAsync"/> throws, and <c>BackupDamaged</c>.</summary>
    /// <param name="choice">The databases; null for all.</param>
    /// <param name="expected">The bytes that will come; null when they are not known.</param>
    /// <param name="restoreCommand">The command by which the server fetches WAL.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task<(FetchResult Fetched, RestorePlan Placed, ControlFile Control)> RunAsync(
        DatabaseChoice? choice, long? expected, string restoreCommand, CancellationToken cancellationToken)
    {
        BackupName[] chain = [.. plan.Chain.Select(static n => BackupName.TryParse(n, out BackupName? name) ? name : throw new FormatException(n))];
        ControlFile control = await BackupMembers.ReadControlFileAsync(repository, chain[^1], cancellationToken).ConfigureAwait(false);
        IReadOnlyList<BackupTablespace> told = await DestinationPlanner.TablespacesAsync(repository, plan.Backup, chain[^1], cancellationToken).ConfigureAwait(false);
        RestoredTablespace[] tablespaces =
        [
            .. told.Select(t => new RestoredTablespace(t.Oid, t.Location, Path.Combine(scratch.Path, "tablespaces", t.Oid.ToString(CultureInfo.InvariantCulture)))
            {
                CatalogVersion = control.CatalogVersion,
            }),
        ];
        using var destination = new RestoreDestination(scratch.DataDirectory, tablespaces, owner is null ? null : (owner.User, owner.Group));
        destination.Prepare("A cluster is being restored here for a short time.\n");
        var fetchProgress = new FetchProgress("Restoring beside", expected, progress, log);
        var fetcher = new BackupFetcher(repository, destination, workers, fetchProgress, log) { Choice = choice };
        FetchResult fetched = await fetcher.FetchAsync(chain, cancellationToken).ConfigureAwait(false);
        RecoveryFiles.CheckLabels(destination, repository.Location, plan.Backup);
        RestorePlan placed = plan with { DataDirectory = scratch.DataDirectory, Tablespaces = tablespaces };
        BesideSettings.Write(destination, placed, scratch.SocketFolder, restoreCommand);
        destination.Complete(cancellationToken);
        return (fetched, placed, control);
    }
}
