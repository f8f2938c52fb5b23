using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Verification.Doctor;
using PgBackup.Wal.Spool;

namespace PgBackup.Wal.Command;

/// <summary>Explains what push and fetch would do in this folder, with this environment, as this account; and whether they can.</summary>
internal static class CheckCommand
{
    // What a push and a fetch stand on. The rest is Test-PgBackupRepository's.
    private static readonly RepositoryCheckName[] s_needed =
    [
        RepositoryCheckName.Connection, RepositoryCheckName.Credentials, RepositoryCheckName.Put, RepositoryCheckName.Stat, RepositoryCheckName.Get,
        RepositoryCheckName.ConditionalPut, RepositoryCheckName.Delete, RepositoryCheckName.Encryption, RepositoryCheckName.FreeSpace,
    ];

    /// <summary>0 when both would work, 14 when one would not, the failure's own code where there is not even a repository to try.</summary>
    public static async Task<int> RunAsync(Invocation invocation, CancellationToken cancellationToken)
    {
        try
        {
            RepositorySettings settings = invocation.Resolve();
            CertificateAuthorities.Narrow(settings);
            Tell(settings);
            bool works = await TryRepositoryAsync(settings, cancellationToken).ConfigureAwait(false);
            works &= await TryClusterAsync(settings, cancellationToken).ConfigureAwait(false);
            Console.WriteLine(works ? "push and fetch would work here." : "push and fetch would not work here.");
            return works ? ExitCodes.Success : ExitCodes.VerificationFailed;
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            StandardError.Tell(error);
            return error is PgBackupException known ? known.ExitCode : ExitCodes.Failed;
        }
    }

    private static void Tell(RepositorySettings settings)
    {
        Line("account", Environment.UserName);
        Line("configuration", settings.ConfigPath ?? "no file");
        if (settings.Name is not null)
            Line("repository", settings.Name);
        foreach (ConfigurationValue value in settings.Values.Where(static value => value.Source != ConfigurationValue.DefaultSource || value.Name is "location" or "encryption"))
            Line(value.Name, $"{value.Value} ({value.Source})");
        WalSpool? spool = WalSpool.TryOpen(settings, Path.Combine(Environment.CurrentDirectory, "pg_wal"), new StandardError(isVerbose: true));
        Line("spool", spool?.Folder ?? "none: nothing is done ahead");
        Line("ahead", $"{settings.Wal.ReadAhead} files pushed, {settings.Wal.Prefetch} segments fetched");
    }

    private static async Task<bool> TryRepositoryAsync(RepositorySettings settings, CancellationToken cancellationToken)
    {
        bool works = true;
        await foreach (RepositoryCheck check in new RepositoryDoctor(settings, new DoctorOptions { Only = s_needed }).RunAsync(cancellationToken).ConfigureAwait(false))
        {
            works &= check.Status != CheckStatus.Failed;
            // What was not tried says nothing; why is told by the one that failed.
            if (check.Status != CheckStatus.Skipped)
                Line(check.Status.ToString(), $"{check.Name}: {check.Message} {check.Recommendation}".TrimEnd());
        }
        return works;
    }

    // PostgreSQL runs its commands in the data directory; whoever stands there can be told whose repository this is.
    private static async Task<bool> TryClusterAsync(RepositorySettings settings, CancellationToken cancellationToken)
    {
        string folder = Environment.CurrentDirectory;
        if (!File.Exists(Path.Combine(folder, "global", "pg_control")))
        {
            Line("Skipped", $"Cluster: '{folder}' is no data directory. Run this in the server's, as PostgreSQL does, to see whether the repository is that cluster's.");
            return true;
        }
        ulong cluster = (await ControlFile.ReadAsync(folder, cancellationToken).ConfigureAwait(false)).SystemIdentifier;
        IReadOnlyList<ClusterIdentity> known = await KnownAsync(settings, cancellationToken).ConfigureAwait(false);
        bool isKnown = known.Any(one => one.SystemIdentifier == cluster);
        Line(isKnown || known.Count == 0 ? "Passed" : "Failed", isKnown ? $"Cluster: the repository is that of this cluster, {cluster}."
            : known.Count == 0 ? $"Cluster: the first push makes the repository that of this cluster, {cluster}."
            : $"Cluster: the repository is that of the cluster {known[0].SystemIdentifier}, and this is {cluster}. Give this cluster a repository of its own.");
        return isKnown || known.Count == 0;
    }

    private static async Task<IReadOnlyList<ClusterIdentity>> KnownAsync(RepositorySettings settings, CancellationToken cancellationToken)
    {
        try
        {
            return await RepositoryIdentity.ListAsync(BackupRepository.Open(settings), cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id == "RepositoryNotFound")
        {
            return []; // The first push makes it.
        }
    }

    private static void Line(string what, string text) => Console.WriteLine($"{what,-15}{text}");
}
