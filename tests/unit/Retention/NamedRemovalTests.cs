using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Retention;
using PgBackup.Retention.Removal;
using PgBackup.Storage;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Retention;

/// <summary>Removal by name, and locks, on a repository that wal-g wrote.</summary>
public sealed class NamedRemovalTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly BackupRepository _repository;

    public NamedRemovalTests()
    {
        ToolProcess.RunAsync(new System.Diagnostics.ProcessStartInfo("cp", ["-a", Path.Combine(FixtureFolder(), "lz4", "repo"), _folder.Combine("repo")])).GetAwaiter().GetResult().EnsureSuccess();
        _repository = new BackupRepository(new DirectoryStore(_folder.Combine("repo")), null);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task ABackupUnderDeltasStaysUnlessTheyGoToo()
    {
        (ClusterBackup full, ClusterBackup[] deltas) = await FamilyAsync();
        Assert.Equal("BackupHasDependents", (await RefusalAsync(full.Name)).Id);
        await using (NamedRemoval removal = await PrepareAsync([full.Name], includeDependent: true, force: true))
        {
            Assert.Equal([full.Name, .. deltas.Select(d => d.Name)], removal.Backups.Select(b => b.Name));
            Assert.All(await removal.RunAsync().ToListAsync(), r => Assert.Equal(RemovalStatus.Removed, r.Status));
        }
        Assert.DoesNotContain(await BackupCatalog.ListAsync(_repository), b => b.Chain.Contains(full.Name));
        Assert.False(Directory.Exists(_folder.Combine("repo", "basebackups_005", full.Name)));
    }

    [Fact]
    public async Task TheLastGoodBackupStaysUnlessForced()
    {
        string[] all = [.. (await BackupCatalog.ListAsync(_repository)).Where(b => b.Status == BackupStatus.Complete).Select(b => b.Name)];
        await using (NamedRemoval removal = await PrepareAsync(all, includeDependent: true, force: false))
        {
            Assert.Equal("LastBackup", Assert.Single(removal.Refused).Id);
            Assert.DoesNotContain(removal.Backups, b => b.Name == all[^1]);
        }
        await using NamedRemoval forced = await PrepareAsync(all, includeDependent: true, force: true);
        Assert.Empty(forced.Refused);
        await forced.RunAsync().ToListAsync();
        Assert.DoesNotContain(await BackupCatalog.ListAsync(_repository), b => b.Status == BackupStatus.Complete);
    }

    [Fact]
    public async Task WhatIsNotThereIsSaidSo() => Assert.Equal("BackupNotFound", (await RefusalAsync("base_0000000100000000000000FF")).Id);

    [Fact]
    public async Task APermanentMarkIsThatOfTheWholeChainAsInWalG()
    {
        (ClusterBackup full, ClusterBackup[] deltas) = await FamilyAsync();
        string key = _folder.Combine("repo", "basebackups_005", full.Name, "metadata.json");
        File.WriteAllText(key, File.ReadAllText(key).Replace("{", "{\"of_another_program\":{\"kept\":1},", StringComparison.Ordinal));

        IReadOnlyList<string> locked = await BackupMarks.LockAsync(_repository, deltas[0].Name, null);

        Assert.Equal(deltas[0].Chain, locked);
        Assert.All((await BackupCatalog.ListAsync(_repository)).Where(b => locked.Contains(b.Name)), b => Assert.True(b.IsPermanent));
        Assert.Contains("\"of_another_program\":{\"kept\":1}", File.ReadAllText(key), StringComparison.Ordinal);
        Assert.Equal("BackupLocked", (await RefusalAsync(deltas[0].Name, includeDependent: true)).Id);
        Assert.Equal("BackupHasDependents", (await Assert.ThrowsAsync<PgBackupException>(() => BackupMarks.UnlockAsync(_repository, full.Name))).Id);
        await BackupMarks.UnlockAsync(_repository, deltas[0].Name);
        Assert.False((await BackupCatalog.ListAsync(_repository)).Single(b => b.Name == deltas[0].Name).IsPermanent);
    }

    [Fact]
    public async Task ALockWithAnEndEndsByItself()
    {
        (_, ClusterBackup[] deltas) = await FamilyAsync();
        DateTimeOffset until = DateTimeOffset.UtcNow.AddDays(3);
        await BackupMarks.LockAsync(_repository, deltas[^1].Name, until);

        ClusterBackup locked = (await BackupCatalog.ListAsync(_repository)).Single(b => b.Name == deltas[^1].Name);
        Assert.Equal((until, false), (locked.LockedUntil, locked.IsPermanent));
        IReadOnlyList<RetentionDecision> now = await RetentionRun.PreviewAsync(_repository, new RetentionPolicy { KeepLast = 1 });
        Assert.Contains("locked until", now.Single(d => d.Name == locked.Name).Reason, StringComparison.Ordinal);
        IReadOnlyList<RetentionDecision> later = await RetentionRun.PreviewAsync(_repository, new RetentionPolicy { KeepLast = 1 }, now: until.AddDays(1));
        Assert.DoesNotContain("locked", later.Single(d => d.Name == locked.Name).Reason, StringComparison.Ordinal);
        // No key of ours may look like a segment to wal-g's delete.
        Assert.DoesNotContain(Directory.GetFiles(_folder.Combine("repo", "pgbackup_v1"), "*", SearchOption.AllDirectories), path => System.Text.RegularExpressions.Regex.IsMatch(path, "[0-9A-F]{24}"));
        await BackupMarks.UnlockAsync(_repository, locked.Name);
        Assert.Null((await BackupCatalog.ListAsync(_repository)).Single(b => b.Name == locked.Name).LockedUntil);
        Assert.Equal("LockInThePast", (await Assert.ThrowsAsync<PgBackupException>(() => BackupMarks.LockAsync(_repository, locked.Name, DateTimeOffset.UtcNow.AddDays(-1)))).Id);
    }

    [Fact]
    public async Task ALockThatCannotBeReadHolds()
    {
        (_, ClusterBackup[] deltas) = await FamilyAsync();
        await _repository.Store.PutAsync(BackupLocks.KeyOf(deltas[^1].Name), "{"u8.ToArray());
        Assert.True((await BackupCatalog.ListAsync(_repository)).Single(b => b.Name == deltas[^1].Name).IsPermanent);
    }

    private async Task<(ClusterBackup Full, ClusterBackup[] Deltas)> FamilyAsync()
    {
        IReadOnlyList<ClusterBackup> catalog = await BackupCatalog.ListAsync(_repository);
        ClusterBackup full = catalog.First(b => b.Type == BackupType.Full && catalog.Any(d => d != b && d.Chain.Contains(b.Name)));
        return (full, [.. catalog.Where(b => b != full && b.Chain.Contains(full.Name)).OrderBy(b => b.StartTime)]);
    }

    private Task<NamedRemoval> PrepareAsync(string[] names, bool includeDependent, bool force) =>
        NamedRemoval.PrepareAsync(_repository, names, includeDependent, force, isPreview: false, OperationLog.None, NoProgress.Instance);

    private static string FixtureFolder([System.Runtime.CompilerServices.CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "..", "Fixtures", "walg-3.0.9");

    private async Task<PgBackupException> RefusalAsync(string name, bool includeDependent = false)
    {
        await using NamedRemoval removal = await PrepareAsync([name], includeDependent, force: true);
        Assert.Empty(removal.Backups);
        return Assert.Single(removal.Refused);
    }
}
