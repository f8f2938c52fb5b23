using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Storage;

namespace PgBackup.Verification.Doctor;

/// <summary>Who writes here now, and who began and did not end.</summary>
internal static class WriterChecks
{
    private const int MostLookedAt = 20;
    private const int MostObjects = 5000;

    // wal-g leaves no word that it lives; a part of its is seldom longer on the way.
    private static readonly TimeSpan s_stillWriting = TimeSpan.FromHours(2);

    /// <summary>The lease of PgBackup.</summary>
    public static async Task<CheckFinding> WritersAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        if (await BackupLease.CurrentAsync(context.Repository, cancellationToken).ConfigureAwait(false) is { } lease)
            return CheckFinding.Passed($"{(MaintenanceLease.IsPurpose(lease.Backup) ? "Backups are being removed" : "A backup runs")}: {lease.Backup}, since {lease.Since:u}, process {lease.ProcessId} on {lease.HostName}.");
        if (await context.Store.StatAsync(BackupLease.Key, cancellationToken).ConfigureAwait(false) is not { } left)
            return CheckFinding.Passed("No backup runs.");
        TimeSpan age = context.StoreNow - left.LastModified;
        return age < BackupLease.LapsesAfter
            ? CheckFinding.Warning(
                $"'{BackupLease.Key}' says that a backup runs, but it cannot be read, or its process is gone.",
                "Nothing need be done: ten minutes after its last sign of life the next backup takes over.")
            : CheckFinding.Passed($"No backup runs. One that ended {Text.Span(age)} ago could not say so; the next one takes over.");
    }

    /// <summary>Folders of backups without a sentinel, other than that of the backup that runs.</summary>
    public static async Task<CheckFinding> UnfinishedBackupsAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        // In this order: a backup that begins or ends meanwhile is then never taken for one whose run died.
        var folders = new List<BackupName>();
        await foreach (string folder in context.Store.ListFoldersAsync(RepositoryLayout.BackupFolder, cancellationToken).ConfigureAwait(false))
        {
            if (BackupName.TryParse(folder, out BackupName? name))
                folders.Add(name);
        }
        LeaseRecord? running = await BackupLease.CurrentAsync(context.Repository, cancellationToken).ConfigureAwait(false);
        IReadOnlySet<string> published = (await RecentBackups.LoadAsync(context.Repository, cancellationToken).ConfigureAwait(false)).Names;
        List<BackupName> unfinished = folders.FindAll(f => !published.Contains(f.Text) && f.Text != running?.Backup);
        if (unfinished.Count == 0)
            return CheckFinding.Passed("Every backup that was begun is complete.");

        var dead = new List<string>();
        foreach (BackupName name in unfinished.Take(MostLookedAt))
        {
            if (await NewestAsync(context.Store, RepositoryLayout.FolderOf(name), cancellationToken).ConfigureAwait(false) is not { } newest
                || context.StoreNow - newest > s_stillWriting)
                dead.Add(name.Text);
        }
        if (dead.Count == 0)
            return CheckFinding.Passed($"{Text.Some([.. unfinished.Select(n => n.Text)])}: not complete, but written to within {Text.Span(s_stillWriting)}; wal-g may be at work.");
        return CheckFinding.Warning(
            $"{Text.Count(unfinished.Count, "backup was", "backups were")} begun and never ended: {Text.Some(dead)}. "
            + $"Nothing lists {(unfinished.Count == 1 ? "it" : "them")} as a backup, but {(unfinished.Count == 1 ? "it takes" : "they take")} room.",
            "If no wal-g is at work here, remove each folder below basebackups_005/ that is named, or run: wal-g delete garbage BACKUPS --confirm. "
            + "A new backup under the same name clears it away by itself.");
    }

    /// <summary>When something in the folder was last written, of so many objects as are looked at; null when nothing is there.</summary>
    private static async Task<DateTimeOffset?> NewestAsync(IObjectStore store, string folder, CancellationToken cancellationToken)
    {
        DateTimeOffset? newest = null;
        int seen = 0;
        await foreach (StoredObject item in store.ListAsync(folder, recursive: true, cancellationToken).ConfigureAwait(false))
        {
            if (newest is null || item.LastModified > newest)
                newest = item.LastModified;
            if (++seen == MostObjects)
                break;
        }
        return newest;
    }
}
