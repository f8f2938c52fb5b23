using System.Text.Json;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Restore.Planning;
using PgBackup.Storage;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Restore;

/// <summary>A chain is proven before anything is written: the parent ended before the delta began, in the delta's own past.</summary>
public sealed class ChainProofTests
{
    private static readonly ulong[] s_starts = [0x2000028, 0x4000028];

    [Theory]
    [InlineData(1, 0x2000100, "", null)]
    [InlineData(2, 0x2000100, "1\t0/2000100\tno recovery target specified\n", null)]
    [InlineData(2, 0x2000100, "1\t0/20000F8\tno recovery target specified\n", "left timeline 1 at 0/20000F8")]
    [InlineData(3, 0x2000100, "2\t0/3000000\tno recovery target specified\n", "never was on timeline 1")]
    [InlineData(1, 0x4000030, "", "before its parent")]
    public async Task OnlyAParentOfTheOwnPastIsOne(uint timeline, ulong finish, string history, string? refusal)
    {
        using TempFolder folder = new();
        BackupRepository repository = await WriteAsync(folder, timeline, finish);
        if (history.Length > 0)
            await File.WriteAllTextAsync(Path.Combine(Directory.CreateDirectory(folder.Combine("repo", "wal_005")).FullName, $"{timeline:X8}.history"), history);
        IReadOnlyList<ClusterBackup> catalog = await BackupCatalog.ListAsync(repository);
        ClusterPast past = Assert.Single(await ClusterPast.ReadAllAsync(repository, catalog, default));
        Task<ProvenBackup> Proving() => BackupProof.RequireAsync(repository, catalog[1], catalog, past, default);
        if (refusal is null)
        {
            Assert.Empty((await Proving()).Warnings);
            return;
        }
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(Proving);
        Assert.Equal("ChainBroken", error.Id);
        Assert.Contains(refusal, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutAHistoryItIsSaidThatNobodyKnows()
    {
        using TempFolder folder = new();
        BackupRepository repository = await WriteAsync(folder, 2, 0x2000100);
        IReadOnlyList<ClusterBackup> catalog = await BackupCatalog.ListAsync(repository);
        ClusterPast past = Assert.Single(await ClusterPast.ReadAllAsync(repository, catalog, default));
        ProvenBackup proven = await BackupProof.RequireAsync(repository, catalog[1], catalog, past, default);
        Assert.Contains("00000002.history", Assert.Single(proven.Warnings), StringComparison.Ordinal);
    }

    private static async Task<BackupRepository> WriteAsync(TempFolder folder, uint timeline, ulong finish)
    {
        var repository = new BackupRepository(new DirectoryStore(folder.Combine("repo")), null);
        for (int level = 0; level < 2; level++)
        {
            BackupName name = SyntheticBackup.NameOf(level);
            StoredFile file = new("/base/5/1", level == 0 ? new byte[8192] : null, level == 0 ? null : (8192, [], []), level);
            await new SyntheticBackup(repository, name, new Random(1)).WriteAsync([file], indexed: true);
            var sentinel = new Dictionary<string, object>
            {
                ["LSN"] = s_starts[level],
                ["FinishLSN"] = level == 0 ? finish : s_starts[level] + 0x100,
                ["SystemIdentifier"] = 7UL,
                ["StartTime"] = DateTimeOffset.UnixEpoch.AddHours(level),
                ["PgBackup"] = new { Timeline = level == 0 ? 1 : timeline },
            };
            if (level == 1)
                (sentinel["DeltaFrom"], sentinel["DeltaLSN"]) = (SyntheticBackup.NameOf(0).Text, s_starts[0]);
            await File.WriteAllTextAsync(folder.Combine("repo", RepositoryLayout.SentinelKey(name)), JsonSerializer.Serialize(sentinel));
        }
        return repository;
    }
}
