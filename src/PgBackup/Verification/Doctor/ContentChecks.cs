using PgBackup.Storage;

namespace PgBackup.Verification.Doctor;

/// <summary>What lies here that should not.</summary>
internal static class ContentChecks
{
    private const int MostFolders = 50;
    private const int MostObjects = 1000;

    private static readonly HashSet<string> s_known = new(StringComparer.Ordinal) { "basebackups_005", "wal_005", "catchup_005", "pgbackup_v1", "lost+found" };
    private static readonly TimeSpan s_old = TimeSpan.FromDays(1);

    /// <summary>Folders and objects at the root that are neither WAL-G's nor ours.</summary>
    public static async Task<CheckFinding> ForeignObjectsAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        var folders = new List<string>();
        await foreach (string folder in context.Store.ListFoldersAsync("", cancellationToken).ConfigureAwait(false))
        {
            if (!s_known.Contains(folder))
                folders.Add(folder);
        }
        var objects = new List<string>();
        await foreach (StoredObject item in context.Store.ListAsync("", recursive: false, cancellationToken).ConfigureAwait(false))
        {
            objects.Add(item.Key);
            if (objects.Count == MostObjects)
                break;
        }
        if (folders.Count + objects.Count == 0)
            return CheckFinding.Passed("There is nothing but what WAL-G and PgBackup write.");
        folders.Sort(StringComparer.Ordinal);
        string tool = await ToolOfAsync(context.Store, folders, cancellationToken).ConfigureAwait(false) is { } name ? $" It looks like a repository of {name}." : "";
        return CheckFinding.Warning(
            $"Something else lies at the root of the repository: {Text.Some([.. folders.Select(f => f + "/"), .. objects])}.{tool}",
            "Give each tool a prefix or a folder of its own. Retention of one tool may remove what another one wrote; wal-g delete everything removes all of it.");
    }

    /// <summary>Objects in flight, and how old they are.</summary>
    public static async Task<CheckFinding> UnfinishedUploadsAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        long count = 0, bytes = 0;
        UnfinishedObject? oldest = null;
        await foreach (UnfinishedObject item in context.Store.ListUnfinishedAsync("", cancellationToken).ConfigureAwait(false))
        {
            if (item.Key.StartsWith(context.Probes.Folder, StringComparison.Ordinal))
                continue;
            count++;
            bytes += item.Size ?? 0;
            if (oldest is null || item.Started < oldest.Value.Started)
                oldest = item;
        }
        if (oldest is not { } first)
            return CheckFinding.Passed("Nothing is in flight.");
        string message = $"{Text.Count(count, "object is", "objects are")} in flight{(bytes > 0 ? $", {new ByteSize(bytes)}" : "")}; "
            + $"the oldest, '{first.Key}', since {first.Started.ToUniversalTime():u}.";
        return context.StoreNow - first.Started < s_old
            ? CheckFinding.Passed(message)
            : CheckFinding.Warning(
                message + " What is older than a day was left by a process that was killed, and takes room that no listing shows.",
                context.Settings.Storage is DirectorySettings directory
                    ? $"The next backup under such a name clears it away. To do it now: find '{directory.Folder}' -name '*.tmp.20*' -mtime +1 -delete"
                    : "The next backup under such a name clears it away. To do it now: aws s3api list-multipart-uploads and abort-multipart-upload; "
                        + "for ever: a lifecycle rule of the bucket with AbortIncompleteMultipartUpload after 7 days.");
    }

    /// <summary>WAL files under more than one extension.</summary>
    public static async Task<CheckFinding> DuplicateWalAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        WalSample wal = await context.WalAsync(cancellationToken).ConfigureAwait(false);
        if (wal.Listed == 0)
            return CheckFinding.Passed("There is no WAL yet.");
        string looked = wal.IsWhole ? Text.Count(wal.Listed, "object of the archive", "objects of the archive") : $"the first {wal.Listed:N0} objects of the archive";
        return wal.Duplicates.Count == 0
            ? CheckFinding.Passed($"No WAL file is there twice, of {looked}.")
            : CheckFinding.Warning(
                $"{Text.Count(wal.Duplicates.Count, "WAL file is", "WAL files are")} there under more than one extension, of {looked}: {Text.Some(wal.Duplicates)}. Which one a restore takes depends on the tool.",
                "See that one tool with one compression method archives here. Keep the object that is a whole segment of this cluster, and remove the other.");
    }

    private static async Task<string?> ToolOfAsync(IObjectStore store, List<string> folders, CancellationToken cancellationToken)
    {
        if (folders.Contains("archive") && folders.Contains("backup"))
            return "pgBackRest";
        foreach (string folder in folders.Take(MostFolders))
        {
            bool hasBase = false, hasWals = false;
            await foreach (string inner in store.ListFoldersAsync(folder + "/", cancellationToken).ConfigureAwait(false))
            {
                hasBase |= inner == "base";
                hasWals |= inner == "wals";
            }
            if (hasBase && hasWals)
                return "Barman";
        }
        return null;
    }
}
