using System.Text;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Restore;

namespace PgBackup.Tests.Repository;

public sealed class RepositoryIdentityTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task TheFirstClusterOwnsTheRepository()
    {
        var repository = new BackupRepository(new DirectoryStore(_folder.Combine("new")), null);
        await RepositoryIdentity.RequireAsync(repository, Cluster(1), newLineage: false);
        await RepositoryIdentity.RequireAsync(repository, Cluster(1), newLineage: false);
        Assert.Equal("ClusterIdentityMismatch", await IdOf(repository, 2));
        await RepositoryIdentity.RequireAsync(repository, Cluster(2), newLineage: true);
        await RepositoryIdentity.RequireAsync(repository, Cluster(2), newLineage: false);
        await RepositoryIdentity.RequireAsync(repository, Cluster(1), newLineage: false);
        Assert.Equal([1UL, 2UL], (await RepositoryIdentity.ListAsync(repository)).Select(c => c.SystemIdentifier));
    }

    [Fact]
    public async Task OfManyClustersAtOnceOneIsFirst()
    {
        var repository = new BackupRepository(new DirectoryStore(_folder.Combine("new")), null);
        bool[] accepted = await Task.WhenAll(Enumerable.Range(1, 16).Select(id => Task.Run(async () => await IdOf(repository, (ulong)id) is null)));
        Assert.Single(accepted, a => a);
    }

    [Fact]
    public async Task AWalGRepositoryIsKnownByItsBackupsEvenIfTheNewestIsDamaged()
    {
        WalgFixture fixture = WalgFixture.Named("lz4");
        BackupRepository repository = fixture.Open(fixture.CopyTo(_folder));
        string damaged = Path.Combine(repository.Location, "basebackups_005", fixture.Backups[2] + "_backup_stop_sentinel.json");
        File.WriteAllText(damaged, "{");
        File.SetLastWriteTimeUtc(damaged, DateTime.UtcNow.AddHours(1));
        Assert.Equal("ClusterIdentityMismatch", await IdOf(repository, 5));
        Assert.Null(await IdOf(repository, fixture.SystemIdentifier));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("{\"SystemIdentifier\":\"x\"}")]
    public async Task ADamagedIdentityIsSaidToBeDamaged(string content)
    {
        var repository = new BackupRepository(new DirectoryStore(_folder.Combine("new")), null);
        await repository.Store.PutAsync(RepositoryIdentity.FirstKey, Encoding.UTF8.GetBytes(content));
        Assert.Equal("DocumentInvalid", await IdOf(repository, 1));
    }

    private static ClusterIdentity Cluster(ulong id) => new(id, 15, 16 << 20, DateTimeOffset.UtcNow);

    private static async Task<string?> IdOf(BackupRepository repository, ulong id)
    {
        try
        {
            await RepositoryIdentity.RequireAsync(repository, Cluster(id), newLineage: false);
            return null;
        }
        catch (PgBackupException error)
        {
            return error.Id;
        }
    }
}
