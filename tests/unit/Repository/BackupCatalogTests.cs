using System.Text;
using System.Text.Json;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Restore;

namespace PgBackup.Tests.Repository;

public sealed class BackupCatalogTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("lz4")]
    [InlineData("zstd-sodium")]
    public async Task WhatWalGListsIsListedWithItsValues(string fixture)
    {
        var repository = new BackupRepository(new DirectoryStore(WalgFixture.Named(fixture).RepositoryPath), null);
        JsonElement[] expected = [.. JsonDocument.Parse(File.ReadAllText(Path.Combine(WalgFixture.Named(fixture).Folder, "expected.json")))
            .RootElement.GetProperty("backup_list_detail").EnumerateArray()];

        IReadOnlyList<ClusterBackup> backups = await BackupCatalog.ListAsync(repository);

        Assert.Equal(expected.Length, backups.Count);
        for (int i = 0; i < expected.Length; i++)
        {
            (JsonElement e, ClusterBackup b) = (expected[i], backups[i]);
            Assert.Equal(e.GetProperty("backup_name").GetString(), b.Name);
            Assert.Equal((BackupStatus.Complete, null), (b.Status, b.Problem));
            Assert.Equal(i == 0 ? BackupType.Full : BackupType.Delta, b.Type);
            Assert.Equal(i == 0 ? null : backups[i - 1].Name, b.Parent);
            Assert.Equal(backups.Take(i + 1).Select(x => x.Name), b.Chain);
            Assert.Equal(e.GetProperty("start_time").GetDateTimeOffset(), b.StartTime);
            Assert.Equal(e.GetProperty("finish_time").GetDateTimeOffset(), b.FinishTime);
            Assert.Equal(new Lsn(e.GetProperty("start_lsn").GetUInt64()), b.StartLsn);
            Assert.Equal(new Lsn(e.GetProperty("finish_lsn").GetUInt64()), b.FinishLsn);
            Assert.Equal(e.GetProperty("hostname").GetString(), b.HostName);
            Assert.Equal(e.GetProperty("data_dir").GetString(), b.DataDirectory);
            Assert.Equal(new Version(15, e.GetProperty("pg_version").GetInt32() % 10000), b.ServerVersion);
            Assert.Equal(e.GetProperty("is_permanent").GetBoolean(), b.IsPermanent);
            Assert.Equal(e.GetProperty("system_identifier").GetUInt64(), b.SystemIdentifier);
            Assert.Equal(e.GetProperty("uncompressed_size").GetInt64(), b.UncompressedSize!.Value.Bytes);
            Assert.Equal(e.GetProperty("compressed_size").GetInt64(), b.Size!.Value.Bytes);
            Assert.Equal("wal-g", b.WrittenBy);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"LSN\":null,\"FinishLSN\":null}")]
    [InlineData("{\"LSN\":-1}")]
    [InlineData("{\"LSN\":99999999999999999999999}")]
    [InlineData("{\"LSN\":1,\"FinishLSN\":2,\"StartTime\":\"yesterday\"}")]
    [InlineData("{\"LSN\":1,\"FinishLSN\":2,\"Spec\":{\"tablespaces\":[1]}}")]
    [InlineData("{\"LSN\":1,\"FinishLSN\":2,\"Spec\":{\"tablespaces\":[null]}}")]
    [InlineData("{\"LSN\":1,\"FinishLSN\":2,\"Spec\":{\"tablespaces\":[\"16385\"]}}")]
    [InlineData("{\"LSN\":1,\"FinishLSN\":2,\"Spec\":{\"tablespaces\":[\"16385\"],\"16385\":7}}")]
    [InlineData("{\"LSN\":1,\"FinishLSN\":2,\"Spec\":{\"tablespaces\":[\"16385\"],\"16385\":{}}}")]
    [InlineData("{\"LSN\":1,\"FinishLSN\":2,\"Spec\":{\"tablespaces\":[\"16385\"],\"16385\":{\"loc\":[]}}}")]
    [InlineData("{\"LSN\":1,\"FinishLSN\":2,\"Spec\":{\"tablespaces\":[\"../x\"],\"../x\":{\"loc\":\"/a\"}}}")]
    public async Task ADamagedSentinelIsListedAsDamagedAndTakesItsDeltasAlong(string sentinel)
    {
        BackupRepository repository = CopyOfFixture();
        string[] names = [.. (await BackupCatalog.ListAsync(repository)).Select(b => b.Name)];
        Write(RepositoryLayout.SentinelKey(Parse(names[0])), sentinel);

        IReadOnlyList<ClusterBackup> backups = await BackupCatalog.ListAsync(repository);

        Assert.Equal(names.Order(StringComparer.Ordinal), backups.Select(b => b.Name).Order(StringComparer.Ordinal));
        Assert.All(backups, b => Assert.Equal(BackupStatus.Damaged, b.Status));
        Assert.All(backups, b => Assert.NotNull(b.Problem));
    }

    [Theory]
    [InlineData("{\"a\":1,\"a\":2}")]
    [InlineData("1e999")]
    [InlineData("[null,{\"\":[]}]")]
    [InlineData("null")]
    public async Task UserDataMayBeAnything(string userData)
    {
        BackupRepository repository = CopyOfFixture();
        string name = (await BackupCatalog.ListAsync(repository))[0].Name;
        Write(RepositoryLayout.MetadataKey(Parse(name)), $"{{\"user_data\":{userData}}}");
        Assert.Equal(BackupStatus.Complete, (await BackupCatalog.ListAsync(repository))[0].Status);
    }

    [Fact]
    public async Task ASpecificationWithoutTablespacesIsNoDamage()
    {
        foreach (string spec in (string[])["null", "{}", "[]", "{\"base_prefix\":null,\"tablespaces\":null}"])
            Assert.Empty(JsonSerializer.Deserialize($"{{\"Spec\":{spec}}}", RepositoryJson.Default.BackupSentinel)!.Spec?.Tablespaces ?? []);
        await Task.CompletedTask;
    }

    [Fact]
    public async Task BrokenChainsAreToldApart()
    {
        BackupRepository repository = CopyOfFixture();
        string[] names = [.. (await BackupCatalog.ListAsync(repository)).Select(b => b.Name)];
        string lastKey = RepositoryLayout.SentinelKey(Parse(names[2]));
        string last = File.ReadAllText(PathOf(lastKey));

        Write(lastKey, last.Replace($"\"{names[1]}\"", $"\"{names[2]}\"", StringComparison.Ordinal));
        Assert.Contains("twice", (await BackupCatalog.ListAsync(repository))[2].Problem, StringComparison.Ordinal);

        Write(lastKey, last.Replace("\"DeltaLSN\":67108904", "\"DeltaLSN\":67108905", StringComparison.Ordinal));
        Assert.Contains("was taken on a backup that began at 0/4000029", (await BackupCatalog.ListAsync(repository))[2].Problem, StringComparison.Ordinal);

        Write(lastKey, last);
        File.Delete(PathOf(RepositoryLayout.SentinelKey(Parse(names[1]))));
        IReadOnlyList<ClusterBackup> backups = await BackupCatalog.ListAsync(repository);
        Assert.Contains($"'{names[1]}' is not in the repository", backups.Single(b => b.Name == names[2]).Problem, StringComparison.Ordinal);
        Assert.Equal(BackupStatus.Unfinished, backups.Single(b => b.Name == names[1]).Status);
        Assert.Equal(BackupStatus.Complete, backups.Single(b => b.Name == names[0]).Status);
    }

    [Fact]
    public async Task ACircleEnds()
    {
        BackupRepository repository = CopyOfFixture();
        string[] names = [.. (await BackupCatalog.ListAsync(repository)).Select(b => b.Name)];
        foreach ((int child, int parent) in ((int, int)[])[(1, 2), (2, 1)])
            Write(RepositoryLayout.SentinelKey(Parse(names[child])), $"{{\"LSN\":1,\"FinishLSN\":2,\"DeltaFrom\":\"{names[parent]}\"}}");
        Assert.Equal(2, (await BackupCatalog.ListAsync(repository)).Count(b => b.Status == BackupStatus.Damaged));
    }

    [Fact]
    public async Task ARunThatDiedAndOneThatLivesAreToldApart()
    {
        BackupRepository repository = CopyOfFixture();
        BackupName mine = BackupName.Full(WalSegmentName.Parse("0000000100000000000000A0")), dead = BackupName.Full(WalSegmentName.Parse("0000000100000000000000A1"));
        Write(RepositoryLayout.PartKey(mine, 1, CompressionMethod.Zstd), "x");
        Write(RepositoryLayout.PartKey(dead, 1, CompressionMethod.Zstd), "x");
        await using BackupLease lease = await BackupLease.AcquireAsync(repository, "a full backup");
        await lease.RenameAsync(mine.Text);

        IReadOnlyList<ClusterBackup> backups = await BackupCatalog.ListAsync(repository);

        Assert.Equal(BackupStatus.InProgress, backups.Single(b => b.Name == mine.Text).Status);
        Assert.Equal(BackupStatus.Unfinished, backups.Single(b => b.Name == dead.Text).Status);
        Assert.Equal(5, backups.Count);
    }

    [Fact]
    public async Task AnErrorWhileReadingNamesTheObject()
    {
        WalgFixture fixture = WalgFixture.Named("zstd-sodium");
        BackupRepository repository = fixture.Open(fixture.CopyTo(_folder));
        string key = $"basebackups_005/{fixture.Backups[0]}/tar_partitions/part_001.tar.zst";
        byte[] content = File.ReadAllBytes(Path.Combine(repository.Location, key));
        content[^1000] ^= 1;
        File.WriteAllBytes(Path.Combine(repository.Location, key), content);

        await using Stream stream = await repository.OpenDecodedAsync(key);
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => stream.CopyToAsync(Stream.Null));

        Assert.Equal("ObjectDamaged", error.Id);
        Assert.Contains(key, error.Message, StringComparison.Ordinal);
    }

    private static BackupName Parse(string name) => BackupName.TryParse(name, out BackupName? parsed) ? parsed : throw new FormatException(name);

    private BackupRepository CopyOfFixture() => new(new DirectoryStore(WalgFixture.Named("lz4").CopyTo(_folder)), null);

    private string PathOf(string key) => Path.Combine(_folder.Combine("damaged-repo"), key);

    private void Write(string key, string content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(PathOf(key))!);
        File.WriteAllBytes(PathOf(key), Encoding.UTF8.GetBytes(content));
    }
}
