using System.Runtime.CompilerServices;
using PgBackup.Repository;

namespace PgBackup.Wal.Push;

/// <summary>Pushes of many files, several of them at once.</summary>
public static class WalPushSeries
{
    /// <summary>How many files are under way at once: enough to hide what a store at a distance takes for each, few enough for memory.</summary>
    internal const int FilesAtOnce = 4;

    /// <summary>
    /// Stores the files and tells each in the order given. The first failure in that order ends
    /// the series; of the files behind it up to three may be stored by then. Throws what <see cref="WalPush.PushAsync(string, CancellationToken)"/> throws.
    /// </summary>
    public static async IAsyncEnumerable<WalPushResult> PushAsync(
        BackupRepository repository, IReadOnlyList<string> paths, IOperationLog? log = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var push = new WalPush(repository, log);
        var running = new Queue<Task<WalPushResult>>(FilesAtOnce);
        try
        {
            int next = 0;
            while (next < paths.Count || running.Count > 0)
            {
                for (; next < paths.Count && running.Count < FilesAtOnce; next++)
                {
                    string path = paths[next];
                    running.Enqueue(Task.Run(() => push.PushAsync(path, stop.Token), CancellationToken.None));
                }
                WalPushResult result = await running.Peek().ConfigureAwait(false);
                _ = running.Dequeue();
                yield return result;
            }
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await ((Task)Task.WhenAll(running)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
