using PgBackup.Backup;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Restore;
using PgBackup.Restore.Planning;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Backup.Deltas;

public sealed class DeltaBackupTests
{
    [Fact]
    public async Task ADeltaHoldsWhatChangedAndRestores()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        await source.Cluster.ExecuteAsync("CREATE TABLE t (id int PRIMARY KEY, filler text); INSERT INTO t SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 30000) i; CREATE TABLE still AS SELECT * FROM t");
        BackupResult full = await source.BackUpAsync();
        await source.Cluster.ExecuteAsync("UPDATE t SET filler = 'x' WHERE id BETWEEN 500 AND 600; DELETE FROM t WHERE id > 29000; INSERT INTO t SELECT i, 'new' FROM generate_series(100000, 101000) i");
        BackupResult delta = await source.BackUpAsync(source.Options with { Type = BackupTypeRequest.Delta });
        Assert.Equal(BackupType.Delta, delta.Type);
        Assert.Equal(full.Name, delta.Parent);
        Assert.True(delta.UncompressedSize.Bytes < full.UncompressedSize.Bytes / 4, $"{delta.UncompressedSize} of {full.UncompressedSize}");
        Assert.True(delta.SkippedFileCount > 0);
        Assert.True(delta.IncrementCount > 0);

        string expected = await Fingerprint(source.Cluster);
        await source.Cluster.ExecuteAsync("SELECT pg_switch_wal()");
        await source.WaitForArchiveAsync();
        using var folder = new TempFolder();
        await WalGRestore.ForwardAsync(source.RepositoryPath, delta.Name, folder.Combine("forward"));
        await using (RecoveredServer restored = await RecoveredServer.StartAsync(source, folder.Combine("forward")))
            Assert.Equal(expected, await restored.ScalarAsync<string>(FingerprintSql));
        await WalGRestore.ReverseAsync(source.RepositoryPath, delta.Name, folder.Combine("reverse"));
        await using (RecoveredServer restored = await RecoveredServer.StartAsync(source, folder.Combine("reverse")))
            Assert.Equal(expected, await restored.ScalarAsync<string>(FingerprintSql));
    }

    internal const string FingerprintSql = "SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM t";

    private static Task<string> Fingerprint(PostgresCluster cluster) => cluster.ScalarAsync<string>(FingerprintSql);
}
