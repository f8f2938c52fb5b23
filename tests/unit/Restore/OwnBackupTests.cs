using PgBackup.Codecs;
using PgBackup.Repository;
using PgBackup.Restore;
using PgBackup.Restore.Fetching;
using PgBackup.Storage;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Restore;

/// <summary>Our own backups, in every codec, read in each of the ways that there are.</summary>
public sealed class OwnBackupTests
{
    [Theory]
    [InlineData(CompressionMethod.Zstd)]
    [InlineData(CompressionMethod.Lz4)]
    [InlineData(CompressionMethod.Brotli)]
    [InlineData(CompressionMethod.None)]
    public async Task EveryCodecIsRestored(CompressionMethod method)
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        // Several frames a file, empty files, and more than one range to read.
        await lab.Cluster.ExecuteAsync("CREATE TABLE big AS SELECT g, md5(g::text) v FROM generate_series(1, 300000) g");
        await lab.Cluster.ExecuteAsync("CREATE UNLOGGED TABLE fleeting AS SELECT * FROM big");
        string expected = await lab.Cluster.ScalarAsync<string>("SELECT md5(string_agg(v, '' ORDER BY g)) FROM big");
        lab.Repository = lab.Repository with { Compression = method };
        await lab.BackupAsync();
        await lab.ArchiveAsync();
        RestoreResult result = await lab.RestoreAsync(RestoreTarget.Latest);
        Assert.Equal(expected, await RestoreLab.QueryAsync(result, "SELECT md5(string_agg(v, '' ORDER BY g)) FROM big"));
        Assert.Equal("0", await RestoreLab.QueryAsync(result, "SELECT count(*) FROM fleeting"));
        await RestoreLab.QueryAsync(result, "CREATE EXTENSION amcheck");
        await RestoreLab.QueryAsync(result, "SELECT count(bt_index_check(c.oid)) FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'btree' AND c.relpersistence = 'p'");
    }

    [Theory]
    [InlineData(CompressionMethod.Zstd)]
    [InlineData(CompressionMethod.Lz4)]
    public async Task AnEncryptedBackupGivesTheSameFilesAsAPlainOne(CompressionMethod method)
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        BackupRepository plain = lab.Repository;
        BackupResult first = await lab.BackupAsync();
        string sealedFolder = Directory.CreateDirectory(lab.Folder.Combine("sealed")).FullName;
        Directory.CreateSymbolicLink(Path.Combine(sealedFolder, "wal_005"), lab.WalFolder);
        lab.Repository = new BackupRepository(new DirectoryStore(sealedFolder), EncryptionKey.FromSettings(new string('5', 64), KeyTransform.Hex), method);
        // The archive is what the server's cp has put there; only the backup is compared.
        await RepositoryEncryption.RecordAsync(lab.Repository);
        BackupResult second = await lab.BackupAsync();
        string a = lab.NewDestination("a"), b = lab.NewDestination("b");
        FetchResult plainFiles = await FetchTests.FetchAsync(plain, [first.Name], a);
        FetchResult sealedFiles = await FetchTests.FetchAsync(lab.Repository, [second.Name], b);
        Assert.Empty(sealedFiles.Warnings);
        Assert.Equal(plainFiles.Files, sealedFiles.Files);
        // Nothing was written in between but what a checkpoint touches.
        string[] tables = [.. Directory.GetFiles(Path.Combine(a, "base", "1")).Select(Path.GetFileName).Order()!];
        Assert.Equal(tables, Directory.GetFiles(Path.Combine(b, "base", "1")).Select(Path.GetFileName).Order());
        foreach (string table in tables)
            Assert.Equal(await File.ReadAllBytesAsync(Path.Combine(a, "base", "1", table)), await File.ReadAllBytesAsync(Path.Combine(b, "base", "1", table)));
    }
}
