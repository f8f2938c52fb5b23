using PgBackup.Storage;

namespace PgBackup.Verification.Doctor;

/// <summary>What the store says of itself, and what that means for backups.</summary>
internal static class StoreChecks
{
    private const long VeryLittle = 256L << 20;
    private const long Little = 4L << 30;

    private static readonly TimeSpan s_uneasySkew = TimeSpan.FromSeconds(30);

    // Beyond this S3 refuses every request (AWS: RequestTimeTooSkewed).
    private static readonly TimeSpan s_badSkew = TimeSpan.FromMinutes(15);

    /// <summary>The store's clock, by its own word or by the time of an object that we put.</summary>
    public static async Task<CheckFinding> ClockAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        if (context.Description?.ClockSkew is null && context.ProbedSkew is null)
            await ReadChecks.SubjectAsync(context, cancellationToken).ConfigureAwait(false); // Puts the probe whose time tells it.
        if ((context.Description?.ClockSkew ?? context.ProbedSkew) is not { } skew)
            return CheckFinding.Skipped("The store's clock can be seen only by writing an object.");
        string message = skew.Duration() < TimeSpan.FromSeconds(2)
            ? "The store's clock agrees with this machine's."
            : $"The store's clock is {Text.Span(skew)} {(skew > TimeSpan.Zero ? "ahead of" : "behind")} this machine's.";
        const string Advice = "Set the clock right: see timedatectl and chronyc tracking here, and on the store where you run it. "
            + "Which backup is the latest, and whether another one lives, is judged by these times.";
        return skew.Duration() > s_badSkew ? CheckFinding.Failed(message, Advice)
            : skew.Duration() > s_uneasySkew ? CheckFinding.Warning(message, Advice)
            : CheckFinding.Passed(message);
    }

    /// <summary>Whether versions are kept.</summary>
    public static Task<CheckFinding> VersioningAsync(DoctorContext context, CancellationToken cancellationToken) => Answer(cancellationToken, () =>
        context.Settings.Storage is DirectorySettings ? CheckFinding.Skipped("A folder keeps no versions.") : context.Description?.Versioning switch
        {
            StoreVersioning.Off => CheckFinding.Passed("Off: what is deleted or overwritten is gone at once."),
            StoreVersioning.Enabled => CheckFinding.Passed(
                "On: what is deleted stays as a version, and takes room until a lifecycle rule of the bucket (NoncurrentVersionExpiration) removes it."),
            StoreVersioning.Suspended => CheckFinding.Warning(
                "Suspended: old versions stay and take room, new ones are not kept.",
                "Turn versioning on again, or let a lifecycle rule (NoncurrentVersionExpiration) remove the old versions."),
            _ => CheckFinding.Skipped("The store does not say, or this account may not ask (s3:GetBucketVersioning)."),
        });

    /// <summary>Whether objects are locked.</summary>
    public static Task<CheckFinding> ObjectLockAsync(DoctorContext context, CancellationToken cancellationToken) => Answer(cancellationToken, () =>
        context.Settings.Storage is DirectorySettings ? CheckFinding.Skipped("A folder has no object lock.") : context.Description switch
        {
            { HasObjectLock: true, DefaultRetention: { } retention } => CheckFinding.Passed(
                $"On: for {Text.Span(retention)} nothing that is written is lost, whoever deletes it. Room is given back only after that."),
            { HasObjectLock: true } => CheckFinding.Passed(
                "The bucket has object lock, but locks nothing by itself: only what is uploaded with S3_RETENTION_PERIOD is held."),
            { HasObjectLock: false } => CheckFinding.Passed("Off: whoever has this credential can delete every backup."),
            _ => CheckFinding.Skipped("The store does not say, or this account may not ask (s3:GetBucketObjectLockConfiguration)."),
        });

    /// <summary>What the store does not do, as it has shown by now.</summary>
    public static async Task<CheckFinding> CompatibilityAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        if (context.Settings.Storage is DirectorySettings)
            return CheckFinding.Skipped("A folder is no store of another house.");
        if (context.Description is null)
            return CheckFinding.Skipped("The store does not let us ask.");
        StoreDescription store = await context.Store.DescribeAsync(cancellationToken).ConfigureAwait(false);
        return CheckFinding.Passed(store.Fallbacks.Count == 0
            ? "The store has done all that was asked of it as AWS does."
            : "Nothing to do, but good to know: " + string.Join(' ', store.Fallbacks));
    }

    /// <summary>Room for the next backup.</summary>
    public static async Task<CheckFinding> FreeSpaceAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        if (context.Description?.FreeBytes is not { } free)
            return CheckFinding.Skipped("The store names no bound.");
        long? newest = (await context.BackupsAsync(cancellationToken).ConfigureAwait(false)).NewestFullSize;
        string message = $"{new ByteSize(free)} are free{(newest is null ? "" : $"; the newest full backup took {new ByteSize(newest.Value)}")}.";
        const string Advice = "Make room: enlarge the file system, or move the repository with Copy-PgBackup; when it is full, WAL piles up on the server.";
        return free < VeryLittle ? CheckFinding.Failed(message, Advice)
            : free < (newest ?? Little) ? CheckFinding.Warning(message, Advice)
            : CheckFinding.Passed(message);
    }

    private static Task<CheckFinding> Answer(CancellationToken cancellationToken, Func<CheckFinding> find)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult(find());
    }
}
