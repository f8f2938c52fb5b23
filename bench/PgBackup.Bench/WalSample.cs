using System.Globalization;
using PgBackup.Tests.Kit;

namespace PgBackup.Bench;

/// <summary>Segments of real WAL, of pgbench's transactions, that no archive has seen.</summary>
/// <param name="Files">Their paths, in order.</param>
internal sealed record WalSample(IReadOnlyList<string> Files)
{
    /// <summary>The bytes of one.</summary>
    public long SegmentBytes => new FileInfo(Files[0]).Length;

    /// <summary>Lets the cluster write so many and keeps copies of them in a folder.</summary>
    public static async Task<WalSample> CollectAsync(PostgresCluster cluster, string folder, int count, CancellationToken cancellationToken)
    {
        await cluster.ExecuteAsync("CHECKPOINT"); // Then every page that is touched is in the log once as a whole.
        await BenchCluster.ArchiveByAsync(cluster, $"cp \"%p\" \"{folder}/%f\"");
        string[] files;
        int seed = 100;
        do
        {
            await cluster.RunToolAsync("pgbench", "-n", "-c", "4", "-j", "2", "-t", "2000", $"--random-seed={(seed++).ToString(CultureInfo.InvariantCulture)}");
            await BenchCluster.SettleAsync(cluster, cancellationToken);
            // Less the one that was only begun when archiving was turned this way, and the last, which is nearly empty.
            files = [.. Directory.GetFiles(folder).Where(static f => Path.GetFileName(f).Length == 24).Order(StringComparer.Ordinal).Skip(1).SkipLast(1).Take(count)];
        }
        while (files.Length < count);
        foreach (string other in Directory.GetFiles(folder).Except(files))
            File.Delete(other);
        return new WalSample(files);
    }

    /// <summary>Lets the cluster write so many under load and keeps copies of them in a folder, from the one that it was in: all that a replay of what the cluster was needs.</summary>
    public static async Task<WalSample> FollowAsync(PostgresCluster cluster, string folder, int count, CancellationToken cancellationToken)
    {
        await BenchCluster.ArchiveByAsync(cluster, $"cp \"%p\" \"{folder}/%f\"");
        string[] files = [];
        for (int seed = 500; files.Length < count; seed++)
        {
            await cluster.ExecuteAsync("CHECKPOINT"); // Then every page that is touched is in the log once as a whole.
            await cluster.RunToolAsync("pgbench", "-n", "-c", "4", "-j", "2", "-t", "5000", $"--random-seed={seed.ToString(CultureInfo.InvariantCulture)}");
            cancellationToken.ThrowIfCancellationRequested();
            files = [.. Directory.GetFiles(folder).Where(static f => Path.GetFileName(f).Length == 24).Order(StringComparer.Ordinal)];
        }
        await BenchCluster.ArchiveByAsync(cluster, "/bin/true");
        foreach (string other in Directory.GetFiles(folder).Except(files.Take(count)))
            File.Delete(other);
        return new WalSample([.. files.Take(count)]);
    }
}
