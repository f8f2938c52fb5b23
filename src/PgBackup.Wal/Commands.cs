using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Wal.Fetch;
using PgBackup.Wal.Push;

namespace PgBackup.Wal.Command;

/// <summary>What the server calls. PostgreSQL starts its commands in the data directory, to which %p is relative.</summary>
internal static class Commands
{
    /// <summary>0 only when the file is stored and confirmed.</summary>
    public static async Task<int> PushAsync(Invocation invocation, IOperationLog log, CancellationToken cancellationToken)
    {
        try
        {
            RepositorySettings settings = invocation.Resolve();
            CertificateAuthorities.Narrow(settings);
            WalPushResult result = await WalPushAhead.PushAsync(settings, invocation.Operands[0], log, cancellationToken).ConfigureAwait(false);
            log.Verbose($"{result.Name}: {result.Status} as '{result.Key}', {result.StoredSize} in {result.Duration.TotalMilliseconds:F0} ms.");
            return ExitCodes.Success;
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            StandardError.Tell(error);
            return error is PgBackupException known ? known.ExitCode : ExitCodes.Failed;
        }
    }

    /// <summary>0 when the file is there, 1 when the archive does not have it, 126 for anything else; on a standby 1 also for what passes.</summary>
    public static async Task<int> FetchAsync(Invocation invocation, IOperationLog log, CancellationToken cancellationToken)
    {
        bool isStandby = RestoreCommand.IsStandby(".");
        try
        {
            string destination = Path.GetFullPath(invocation.Operands[1]);
            RepositorySettings settings = invocation.Resolve();
            CertificateAuthorities.Narrow(settings);
            await SpooledFetch.FetchAsync(settings, invocation.Operands[0], destination, () => StartPrefetcher(destination), log, cancellationToken).ConfigureAwait(false);
            return ExitCodes.Success;
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            StandardError.Tell(error);
            int code = error is PgBackupException known ? RestoreCommand.ExitCodeOf(known, isStandby) : RestoreCommand.Stop;
            return code == RestoreCommand.NotThere ? invocation.NotThereCode : code;
        }

        void StartPrefetcher(string destination) =>
            DetachedProcess.Start(Environment.ProcessPath!, ["prefetch", Path.GetDirectoryName(destination)!, .. invocation.Options]);
    }

    /// <summary>
    /// Works for as long as the server asks. Nobody waits for it, and whatever it cannot do is done, and told, by those who are asked. It always ends with 0: where the server is process 1, as in
    /// a container, this process becomes its child, and a child of the server that ends otherwise makes it restart all others (PostgreSQL source: postmaster.c, HandleChildCrash).
    /// </summary>
    public static async Task<int> PrefetchAsync(Invocation invocation, IOperationLog log, CancellationToken cancellationToken)
    {
        try
        {
            RepositorySettings settings = invocation.Resolve();
            CertificateAuthorities.Narrow(settings);
            // Everything is a full path by now. Whoever stays in the data directory keeps its file system busy.
            Environment.CurrentDirectory = Path.GetPathRoot(Environment.CurrentDirectory)!;
            await WalPrefetcher.RunAsync(settings, invocation.Operands[0], log, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            log.Verbose("Stopped.");
        }
        catch (Exception error)
        {
            StandardError.Tell(error);
        }
        return ExitCodes.Success;
    }
}
