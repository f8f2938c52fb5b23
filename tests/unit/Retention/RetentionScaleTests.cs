using System.Diagnostics;
using System.Globalization;
using System.Text;
using PgBackup.Repository;
using PgBackup.Retention;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Wal.Integrity;
using static PgBackup.Tests.Retention.RetentionScene;

namespace PgBackup.Tests.Retention;

/// <summary>Ten thousand backups and a million WAL objects.</summary>
public sealed class RetentionScaleTests
{
    private const int Backups = 10_000;
    private const int Segments = 1_000_000;
    private static readonly DateTimeOffset s_begin = At("2025-01-01");

    [Fact]
    public async Task TheyAreListedInFewCallsAndDecidedInSeconds()
    {
        using TempFolder folder = new();
        MemoryStore store = Filled();
        int objects = (Backups * 3) + Segments;
        BackupRepository repository = new(store, null);
        RetentionFacts first = await ReadAsync(repository, folder);
        int atFirst = store.Calls;
        Assert.True(atFirst > 2 * Backups, "The first time they are read.");
        long before = GC.GetTotalMemory(forceFullCollection: true);
        RetentionFacts facts = await ReadAsync(repository, folder);
        int calls = store.Calls - atFirst;
        Assert.True(calls <= (objects / 1000) + 50, $"It took {calls} calls for {objects} objects.");
        Assert.Equal(Backups, facts.Backups.Count(b => b.Status == BackupStatus.Complete));
        Assert.Equal(first.Backups, facts.Backups, static (a, b) => a.Name == b.Name && a.StartTime == b.StartTime && a.Chain.SequenceEqual(b.Chain) && a.IsPermanent == b.IsPermanent);

        var clock = Stopwatch.StartNew();
        IReadOnlyList<RetentionDecision> decisions = RetentionPlanner.Decide(
            RetentionPolicy.Standard with { RecoveryWindow = TimeSpan.FromDays(14) }, facts, s_begin.AddHours(Backups));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5), $"Deciding took {clock.Elapsed}.");
        long memory = GC.GetTotalMemory(forceFullCollection: true) - before;
        Assert.True(memory < 300L << 20, $"It holds {memory >> 20} MB.");
        GC.KeepAlive(facts);
        Assert.InRange(decisions.Count(d => d is { Backup: not null, Action: RetentionAction.Keep }), 336, 800);
        Assert.Contains(decisions, d => d is { Kind: RetentionItemKind.Wal, Action: RetentionAction.Remove } && d.Count > 50);
    }

    private static Task<RetentionFacts> ReadAsync(BackupRepository repository, TempFolder folder) => RetentionSurvey.ReadAsync(repository, OperationLog.None, folder.Path, CancellationToken.None);

    private static MemoryStore Filled()
    {
        var store = new MemoryStore { Listed = Listed };
        for (int n = 0; n < Backups; n++)
        {
            store.Put($"basebackups_005/{NameOf(n)}_backup_stop_sentinel.json", Encoding.UTF8.GetBytes(SentinelOf(n)), s_begin.AddHours(n));
            store.Put($"basebackups_005/{NameOf(n)}/metadata.json", """{"is_permanent":false,"hostname":"db1","date_fmt":"%Y-%m-%dT%H:%M:%S.%fZ"}"""u8.ToArray(), s_begin.AddHours(n));
        }
        return store;
    }

    private static IEnumerable<StoredObject> Listed()
    {
        for (int n = 0; n < Segments; n++)
            yield return new StoredObject($"wal_005/{WalSegmentName.Of(TimelineId.First, (ulong)n + 1, Size)}.zst", 1 << 20, s_begin.AddMinutes(n * 0.6));
        for (int n = 0; n < Backups; n++)
            yield return new StoredObject($"basebackups_005/{NameOf(n)}/tar_partitions/part_001.tar.zst", 1 << 30, s_begin.AddHours(n));
    }

    private static WalSegmentName SegmentOf(int backup) => WalSegmentName.Of(TimelineId.First, (ulong)(backup * 100) + 1, Size);

    // A backup an hour, every tenth full, a hundred segments between two.
    private static string NameOf(int backup) => backup % 10 == 0 ? $"base_{SegmentOf(backup)}" : $"base_{SegmentOf(backup)}_D_{SegmentOf(backup - 1)}";

    private static string SentinelOf(int backup)
    {
        ulong StartOf(int n) => Size.StartOf((ulong)(n * 100) + 1).Value + 40;
        string parent = backup % 10 == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"\"DeltaFrom\":\"{NameOf(backup - 1)}\",\"DeltaLSN\":{StartOf(backup - 1)},");
        DateTimeOffset time = s_begin.AddHours(backup);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{{{parent}\"LSN\":{StartOf(backup)},\"FinishLSN\":{StartOf(backup) + (16 << 20)},\"PgVersion\":150018,\"SystemIdentifier\":7711127693377723344,\"StartTime\":\"{time:O}\",\"FinishTime\":\"{time.AddMinutes(20):O}\"}}");
    }
}
