using PgBackup.Storage;

namespace PgBackup.Verification.Doctor;

/// <summary>Probes of a doctor that was killed: those older than a day are removed, younger ones may belong to one that runs.</summary>
internal static class LeftProbesCheck
{
    private const int MostAtOnce = 1000;

    private static readonly TimeSpan s_old = TimeSpan.FromDays(1);

    public static async Task<CheckFinding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        var old = new List<string>();
        var folders = new HashSet<string>(StringComparer.Ordinal);
        int young = 0;
        await foreach (StoredObject item in context.Store.ListAsync(ProbeFolder.Root, recursive: true, cancellationToken).ConfigureAwait(false))
        {
            if (item.Key.StartsWith(context.Probes.Folder, StringComparison.Ordinal))
                continue;
            if (context.StoreNow - item.LastModified < s_old)
                young++;
            else if (old.Count < MostAtOnce)
                old.Add(item.Key);
        }
        await foreach (UnfinishedObject item in context.Store.ListUnfinishedAsync(ProbeFolder.Root, cancellationToken).ConfigureAwait(false))
        {
            if (!item.Key.StartsWith(context.Probes.Folder, StringComparison.Ordinal) && context.StoreNow - item.Started >= s_old)
                folders.Add(item.Key[..(item.Key.LastIndexOf('/') + 1)]);
        }
        string others = young == 0 ? "" : $" {Text.Count(young, "younger one stays", "younger ones stay")}: another doctor may be at work.";
        if (old.Count + folders.Count == 0)
            return CheckFinding.Passed("No earlier run has left anything." + others);
        string what = $"{Text.Count(old.Count, "probe", "probes")} and {Text.Count(folders.Count, "unfinished upload", "unfinished uploads")} of a run that was killed";
        if (context.Options.SkipWrite)
            return CheckFinding.Warning($"There are {what}, older than a day.{others}", "Run Test-PgBackupRepository without -SkipWrite: it removes them.");
        foreach (string folder in folders)
            await context.Store.RemoveUnfinishedAsync(folder, cancellationToken).ConfigureAwait(false);
        if (old.Count > 0)
            await context.Store.DeleteAsync(old, cancellationToken).ConfigureAwait(false);
        return CheckFinding.Passed($"Removed {what}, older than a day.{others}");
    }
}
