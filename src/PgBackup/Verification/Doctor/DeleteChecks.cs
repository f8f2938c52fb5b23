using PgBackup.Errors;
using PgBackup.Storage;

namespace PgBackup.Verification.Doctor;

/// <summary>The right to delete; without it probes stay, and the finding says which.</summary>
internal static class DeleteChecks
{
    private const int Many = 3;

    /// <summary>Deletes an object of our own and looks whether it is gone.</summary>
    public static async Task<CheckFinding> DeleteAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        string key = context.Probes.Add("delete");
        await context.Store.PutAsync(key, new byte[1], PutCondition.None, cancellationToken).ConfigureAwait(false);
        return await TryDeleteAsync(context, [key], cancellationToken).ConfigureAwait(false) ?? CheckFinding.Passed("An object was deleted.");
    }

    /// <summary>Deletes several with one call.</summary>
    public static async Task<CheckFinding> DeleteManyAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        string[] keys = [.. Enumerable.Range(1, Many).Select(n => context.Probes.Add($"delete-{n}"))];
        foreach (string key in keys)
            await context.Store.PutAsync(key, new byte[1], PutCondition.None, cancellationToken).ConfigureAwait(false);
        return await TryDeleteAsync(context, keys, cancellationToken).ConfigureAwait(false) ?? CheckFinding.Passed($"{Many} objects were deleted with one call.");
    }

    /// <summary>Whether what is about to be written can be removed again; tries it when nobody has yet.</summary>
    public static async Task<bool> CanDeleteAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        if (context.CanDelete is null)
            await DeleteAsync(context, cancellationToken).ConfigureAwait(false);
        return context.CanDelete == true;
    }

    /// <summary>Says what remains and what to do.</summary>
    public static CheckFinding CannotDelete(DoctorContext context, PgBackupException? reason) => CheckFinding.Failed(
        $"Objects cannot be deleted. {reason?.Message ?? "The store did not answer in time."} "
        + $"What this run has put below '{context.Probes.Folder}' remains: {Text.Some(context.Probes.Keys)}.",
        context.Settings.Storage is DirectorySettings
            ? "Give this account the right to write in every folder of the repository, then run Test-PgBackupRepository again."
            : "Allow s3:DeleteObject below the repository's prefix, for this account or for the one that shall remove old backups. "
                + $"Without it unfinished backups stay, too. Remove the probes then, for example with: aws s3 rm --recursive {context.Location}/{context.Probes.Folder}");

    /// <summary>Null when the objects are gone.</summary>
    private static async Task<CheckFinding?> TryDeleteAsync(DoctorContext context, string[] keys, CancellationToken cancellationToken)
    {
        try
        {
            await context.Store.DeleteAsync(keys, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error)
        {
            context.CanDelete = false;
            return CannotDelete(context, error);
        }
        foreach (string key in keys)
        {
            if (await context.Store.StatAsync(key, cancellationToken).ConfigureAwait(false) is not null)
            {
                context.CanDelete = false;
                return CheckFinding.Failed(
                    $"The store says that '{key}' is deleted, but it is there still.",
                    "Look for retention rules of the bucket or the file system; remove the probe by hand.");
            }
            context.Probes.Forget(key);
        }
        context.CanDelete ??= true;
        return null;
    }
}
