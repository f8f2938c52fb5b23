using PgBackup.Copy;
using PgBackup.Repository;
using PgBackup.Restore.Planning;
using PgBackup.Storage;
using PgBackup.Storage.S3;
using PgBackup.Tests.Kit.Stores;
using PgBackup.Tests.Restore;

namespace PgBackup.Tests.Copy;

/// <summary>The three copies of a cluster: a folder, a bucket, another provider's bucket.</summary>
public sealed class CopyBetweenStoresTests
{
    [Fact]
    public async Task FromAFolderIntoABucketFromThereIntoAnotherToAnotherStoreAndBack()
    {
        WalgFixture fixture = WalgFixture.Named("lz4");
        using CopyLab lab = CopyLab.Of(fixture);
        S3Settings first = await (await TestStores.CephAsync()).NewBucketAsync("one/prefix");
        S3Settings other = await (await TestStores.OldCephAsync()).NewBucketAsync();
        using var bucket = new S3Store(first);
        using var beside = new S3Store(first with { Prefix = "two" });
        using var elsewhere = new S3Store(other);
        Assert.True(beside.CanCopyFrom(bucket));
        Assert.False(elsewhere.CanCopyFrom(bucket));

        await CopyAsync(lab.Source.Store, bucket);
        await CopyAsync(bucket, beside);
        await CopyAsync(beside, elsewhere);
        await CopyAsync(elsewhere, lab.Target.Store);
        await lab.RequireRestorableAsync();
        Assert.Equal(CopyLab.Files(lab.SourcePath, ""), CopyLab.Files(lab.TargetPath, ""));

        var ages = new List<DateTimeOffset>();
        foreach (string name in fixture.Backups)
            ages.Add((await elsewhere.StatAsync($"basebackups_005/{name}_backup_stop_sentinel.json"))!.Value.LastModified);
        Assert.True(ages[0] < ages[1] && ages[1] < ages[2], string.Join(' ', ages));
    }

    private static async Task CopyAsync(IObjectStore from, IObjectStore to)
    {
        BackupRepository source = new(from, null), target = new(to, null);
        IReadOnlyList<ClusterBackup> catalog = await BackupCatalog.ListAsync(source);
        for (int run = 0; run < 2; run++)
        {
            await using RepositoryCopy copy = await RepositoryCopy.PrepareAsync(source, target, catalog, catalog, new CopyOptions { WithHistory = true });
            List<BackupCopyResult> results = await copy.RunAsync().ToListAsync();
            Assert.Equal(3, results.Count);
            Assert.All(results, r => Assert.True(r.Status == (run == 0 ? BackupCopyStatus.Copied : BackupCopyStatus.Present), r.Error));
        }
        foreach (ClusterBackup backup in await BackupCatalog.ListAsync(target))
            await RestorePlanner.PlanAsync(target, new RestoreRequest { Target = RestoreTarget.Immediate, Name = backup.Name, RestoreCommand = "false" });
    }
}
