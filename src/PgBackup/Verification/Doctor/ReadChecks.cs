using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Storage;

namespace PgBackup.Verification.Doctor;

/// <summary>The rights to read, tried on a probe, or on what is there when nothing may be written.</summary>
internal static class ReadChecks
{
    private const long SmallObject = 1 << 20;
    private const int LookAt = 1000;

    private static readonly CheckFinding s_nothingToRead = CheckFinding.Skipped("There is no object to read yet, and none was written.");

    /// <summary>Asks for an object, and for one that is not there.</summary>
    public static async Task<CheckFinding> StatAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        if (await SubjectAsync(context, cancellationToken).ConfigureAwait(false) is not { } subject)
            return s_nothingToRead;
        StoredObject? found = await context.Store.StatAsync(subject.Key, cancellationToken).ConfigureAwait(false);
        if (found?.Size != subject.Size)
        {
            return CheckFinding.Failed(
                $"'{subject.Key}' has {subject.Size} bytes, but asked for it the store says {(found is null ? "that it is not there" : $"{found.Value.Size}")}.",
                "Do not use this store for backups as it is: it does not tell what it holds.");
        }
        StoredObject? absent = await context.Store.StatAsync(context.Probes.Folder + "absent", cancellationToken).ConfigureAwait(false);
        return absent is null
            ? CheckFinding.Passed("The store tells the size of what is there, and what is not there.")
            : CheckFinding.Failed("The store says that there is an object which nobody has written.", "Do not use this store for backups as it is.");
    }

    /// <summary>Reads an object whole and compares it.</summary>
    public static async Task<CheckFinding> GetAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        if (await SubjectAsync(context, cancellationToken).ConfigureAwait(false) is not { } subject)
        {
            // A put is proven by looking at what came of it. Without the right to read, that is what failed, and it says so here.
            await context.Store.TryReadAllAsync(context.Probes.Folder + WriteChecks.PutName, cancellationToken).ConfigureAwait(false);
            return s_nothingToRead;
        }
        byte[]? content = await context.Store.TryReadAllAsync(subject.Key, cancellationToken).ConfigureAwait(false);
        if (content is null || content.Length != subject.Size || (context.SubjectContent is { } written && !written.AsSpan().SequenceEqual(content)))
        {
            return CheckFinding.Failed(
                $"What is read from '{subject.Key}' is not what was written: {content?.Length ?? 0} bytes instead of {subject.Size}, or others.",
                "Do not use this store for backups: it says that an upload is done and stores something else. Look for its release notes on aws-chunked uploads.");
        }
        context.SubjectContent ??= content;
        return CheckFinding.Passed($"{Text.Count(content.Length, "byte was", "bytes were")} read{(subject.Key.StartsWith(ProbeFolder.Root, StringComparison.Ordinal) ? " as written" : $" of '{subject.Key}'")}.");
    }

    /// <summary>Reads from the middle of an object.</summary>
    public static async Task<CheckFinding> GetRangeAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        if (await SubjectAsync(context, cancellationToken).ConfigureAwait(false) is not { } subject)
            return s_nothingToRead;
        byte[]? whole = context.SubjectContent ?? await context.Store.TryReadAllAsync(subject.Key, cancellationToken).ConfigureAwait(false);
        if (whole is null || whole.Length < 3)
            return CheckFinding.Skipped($"'{subject.Key}' is too small to have a middle.");
        int offset = whole.Length / 3, length = whole.Length / 3;
        byte[] part = new byte[length + 1]; // One more: a store that knows no ranges sends all.
        Stream source = await context.Store.OpenReadAsync(subject.Key, offset, length, cancellationToken).ConfigureAwait(false);
        await using (source.ConfigureAwait(false))
        {
            int read = await source.ReadAtLeastAsync(part, part.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
            return part.AsSpan(0, read).SequenceEqual(whole.AsSpan(offset, length))
                ? CheckFinding.Passed($"{length} bytes from the middle of an object are right.")
                : CheckFinding.Failed(
                    $"Asked for {length} bytes from the middle of an object, the store sent others.",
                    "Do not use this store for backups as it is: restores read parts of objects.");
        }
    }

    /// <summary>The object to read: a probe, else a small one that is there; null when there is none.</summary>
    public static async Task<StoredObject?> SubjectAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        if (context.Subject is null && !context.Options.SkipWrite)
        {
            try
            {
                await WriteChecks.PutAsync(context, cancellationToken).ConfigureAwait(false);
            }
            catch (PgBackupException)
            {
                // The check of that right tells it; reading can be tried on what is there.
            }
        }
        return context.Subject ??= await FindSmallAsync(context.Store, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<StoredObject?> FindSmallAsync(IObjectStore store, CancellationToken cancellationToken)
    {
        foreach (string folder in (string[])[RepositoryLayout.PrivateFolder, RepositoryLayout.BackupFolder, RepositoryLayout.WalFolder])
        {
            int seen = 0;
            await foreach (StoredObject item in store.ListAsync(folder, recursive: false, cancellationToken).ConfigureAwait(false))
            {
                if (item.Size is > 2 and <= SmallObject && item.Key != BackupLease.Key) // The lease comes and goes.
                    return item;
                if (++seen == LookAt)
                    break;
            }
        }
        return null;
    }
}
