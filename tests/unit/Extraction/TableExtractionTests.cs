using Npgsql;
using PgBackup.Backup;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Extraction;
using PgBackup.Logical.Load;
using PgBackup.Postgres.Server;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Restore;

namespace PgBackup.Tests.Extraction;

/// <summary>Tables out of base backups: real servers, real logs.</summary>
public sealed class TableExtractionTests
{
    private const string Digest = "SELECT md5(string_agg(o::text, ',' ORDER BY id)) FROM app.orders o";

    [Fact]
    public async Task ADroppedTableIsBackAsItWasAndTheOtherDatabaseStaysOut()
    {
        await using ExtractionLab lab = await ExtractionLab.StartAsync();
        await lab.Lab.BackupAsync();
        await lab.Cluster.ExecuteAsync("UPDATE app.orders SET v = v || '!' WHERE id % 7 = 0; DELETE FROM app.orders WHERE id % 11 = 0", "app");
        // Pages that are not there are changed, a last page among them; and databases are made of it and dropped.
        await lab.Cluster.ExecuteAsync("UPDATE big SET v = 'x' WHERE g % 1000 = 0", "other");
        await lab.Cluster.ExecuteAsync("VACUUM big", "other");
        await lab.Cluster.ExecuteAsync("DELETE FROM big WHERE g > 150000", "other");
        await lab.Cluster.ExecuteAsync("VACUUM big", "other");
        await lab.Cluster.ExecuteAsync("CREATE DATABASE fleeting TEMPLATE other STRATEGY file_copy");
        await lab.Cluster.ExecuteAsync("CREATE DATABASE stays TEMPLATE other STRATEGY wal_log");
        await lab.Cluster.ExecuteAsync("DROP DATABASE fleeting");
        string expected = await lab.Cluster.ScalarAsync<string>(Digest, "app");
        DateTimeOffset time = await lab.NowAsync();
        await lab.Cluster.ExecuteAsync("DROP TABLE app.orders", "app");
        await lab.Lab.ArchiveAsync();

        TableExtractionResult result = await lab.ExtractAsync(RestoreTarget.AtTime(time), "app.orders");

        Assert.Equal(["app.orders"], result.Tables);
        Assert.False(result.IsWholeCluster);
        Assert.Empty(result.Warnings);
        Assert.True(result.ReachedTime <= time);
        Assert.True(result.RestoredSize.Bytes < result.ClusterSize!.Value.Bytes - (60 << 20), $"{result.RestoredSize} of {result.ClusterSize}");
        lab.RequireClean();
        await lab.LoadAsync(result, "app");
        Assert.Equal(expected, await lab.Cluster.ScalarAsync<string>(Digest, "app"));
        // The other way: straight into a database, which must not have the table yet.
        var load = new LoadOptions { Server = new ServerConnectionSettings { ConnectionString = lab.Cluster.ConnectionString } };
        TableExtractionOptions direct = lab.Options(RestoreTarget.AtTime(time), "app.orders") with { Destination = null, Load = load };
        // Told before anything is restored when the name says it all; else when the source tells what it means.
        PgBackupException early = await Assert.ThrowsAsync<PgBackupException>(() => TableExtraction.PrepareAsync(lab.Lab.Repository, direct));
        Assert.Equal("TargetHoldsObjects", early.Id);
        PgBackupException late = await Assert.ThrowsAsync<PgBackupException>(() => lab.ExtractAsync(direct with { Tables = ["orders"] }));
        Assert.Equal("TargetHoldsObjects", late.Id);
        lab.RequireClean();
        await lab.Cluster.ExecuteAsync("DROP TABLE app.orders", "app");
        TableExtractionResult loaded = await lab.ExtractAsync(direct);
        Assert.Equal("app", loaded.TargetDatabase);
        Assert.Equal(DatabaseRestoreStatus.Complete, loaded.Load!.Status);
        Assert.Equal(expected, await lab.Cluster.ScalarAsync<string>(Digest, "app"));
        await lab.RefusedAsync(RestoreTarget.Latest, "TableNotFound", "app.orders");
        PgBackupException misspelt = await lab.RefusedAsync(RestoreTarget.AtTime(time), "TableNotFound", "app.order");
        Assert.Contains("app.orders", misspelt.Message, StringComparison.Ordinal);
        PgBackupException unknown = await Assert.ThrowsAsync<PgBackupException>(() => lab.ExtractAsync(lab.Options(RestoreTarget.Latest, "t") with { Database = "App" }));
        Assert.Equal("DatabaseNotInBackup", unknown.Id);
        Assert.Contains("'app'", unknown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AChainOddNamesPartitionsAndTablespaces()
    {
        await using ExtractionLab lab = await ExtractionLab.StartAsync();
        await lab.Cluster.CreateTablespaceAsync("fast");
        await lab.Cluster.ExecuteAsync("CREATE SCHEMA \"Odd.One\"; CREATE TABLE \"Odd.One\".\"-Tä\"\"ble *\" (id serial, v text) TABLESPACE fast", "app");
        await lab.Cluster.ExecuteAsync("CREATE TABLE app.parts (id int, v text) PARTITION BY RANGE (id); CREATE TABLE app.parts_1 PARTITION OF app.parts FOR VALUES FROM (0) TO (100) TABLESPACE fast; "
            + "CREATE TABLE app.parts_2 PARTITION OF app.parts FOR VALUES FROM (100) TO (1000)", "app");
        await lab.Cluster.ExecuteAsync("CREATE TABLE elsewhere TABLESPACE fast AS SELECT g, repeat('e', 200) v FROM generate_series(1, 50000) g", "other");
        await lab.Lab.BackupAsync();
        await lab.Cluster.ExecuteAsync("INSERT INTO app.parts SELECT g, 'p' || g FROM generate_series(0, 999) g; INSERT INTO \"Odd.One\".\"-Tä\"\"ble *\" (v) SELECT 'o' || g FROM generate_series(1, 100) g", "app");
        await lab.Cluster.ExecuteAsync("UPDATE elsewhere SET v = 'changed' WHERE g % 100 = 0", "other");
        await lab.Lab.BackupAsync(BackupTypeRequest.Delta);
        await lab.Cluster.ExecuteAsync("UPDATE app.parts SET v = 'q' WHERE id = 5; UPDATE app.orders SET v = 'late' WHERE id = 1", "app");
        await lab.Cluster.ExecuteAsync("UPDATE elsewhere SET v = 'again' WHERE g % 99 = 0", "other");
        await lab.Lab.ArchiveAsync();
        TableExtractionResult result = await lab.ExtractAsync(RestoreTarget.Latest, "\"Odd.One\".\"-Tä\"\"ble *\"", "app.parts", "app.Orders");
        Assert.Contains("_D_", result.Name, StringComparison.Ordinal);
        Assert.Equal(["\"Odd.One\".\"-Tä\"\"ble *\"", "app.parts", "app.parts_1", "app.parts_2", "app.orders"], result.Tables);
        Assert.True(result.RestoredSize.Bytes < result.ClusterSize!.Value.Bytes - (60 << 20), $"{result.RestoredSize} of {result.ClusterSize}");
        await lab.Cluster.ExecuteAsync("CREATE DATABASE back");
        await lab.Cluster.ExecuteAsync("CREATE SCHEMA app; CREATE SCHEMA \"Odd.One\"", "back");
        await lab.LoadAsync(result, "back");
        foreach (string sql in new[] { Digest, "SELECT md5(string_agg(p::text, ',' ORDER BY id)) FROM app.parts p", "SELECT md5(string_agg(p::text, ',' ORDER BY id)) FROM \"Odd.One\".\"-Tä\"\"ble *\" p" })
            Assert.Equal(await lab.Cluster.ScalarAsync<string>(sql, "app"), await lab.Cluster.ScalarAsync<string>(sql, "back"));
        TableExtractionResult several = await lab.ExtractAsync(lab.Options(RestoreTarget.Latest, "app.part*_?") with { Destination = Path.Combine(lab.Results, "t.sql.gz") });
        Assert.Equal(["app.parts_1", "app.parts_2"], several.Tables);
        Assert.Equal(new byte[] { 0x1f, 0x8b }, (await File.ReadAllBytesAsync(several.Destination!))[..2]);
        lab.RequireClean();
    }

    [Fact]
    public async Task AnEncryptedRepositoryTellsItsTablesToo()
    {
        await using ExtractionLab lab = await ExtractionLab.StartAsync();
        string folder = Directory.CreateDirectory(lab.Lab.Folder.Combine("sealed")).FullName;
        Directory.CreateSymbolicLink(Path.Combine(folder, "wal_005"), lab.Lab.WalFolder);
        lab.Lab.Repository = new BackupRepository(new DirectoryStore(folder), EncryptionKey.FromSettings(new string('5', 64), KeyTransform.Hex), CompressionMethod.Zstd);
        await RepositoryEncryption.RecordAsync(lab.Lab.Repository);
        await lab.Lab.BackupAsync();
        // The archive is what the server's cp has put there; the repository has to have it sealed.
        string sealedWal = Directory.CreateDirectory(lab.Lab.Folder.Combine("sealed-wal")).FullName;
        await lab.Lab.ArchiveAsync();
        foreach (string segment in Directory.GetFiles(lab.Lab.WalFolder))
            await lab.SealAsync(segment, Path.Combine(sealedWal, Path.GetFileName(segment)));
        Directory.Delete(Path.Combine(folder, "wal_005"));
        Directory.Move(sealedWal, Path.Combine(folder, "wal_005"));
        TableExtractionResult result = await lab.ExtractAsync(RestoreTarget.Latest, "app.orders");
        Assert.False(result.IsWholeCluster);
        Assert.Empty(result.Warnings);
        Assert.True(result.RestoredSize.Bytes < result.ClusterSize!.Value.Bytes - (60 << 20), $"{result.RestoredSize} of {result.ClusterSize}");
        PgBackupException unknown = await Assert.ThrowsAsync<PgBackupException>(() => lab.ExtractAsync(lab.Options(RestoreTarget.Latest, "t") with { Database = "App" }));
        Assert.Equal("DatabaseNotInBackup", unknown.Id);
        Assert.Contains("'app'", unknown.Message, StringComparison.Ordinal);
        lab.RequireClean();
    }

    [Fact]
    public async Task ANameThatAnotherDatabaseHasAtTheTarget()
    {
        await using ExtractionLab lab = await ExtractionLab.StartAsync();
        await lab.Cluster.ExecuteAsync("CREATE TABLE only_in_other (v int); INSERT INTO only_in_other VALUES (7)", "other");
        await lab.Lab.BackupAsync();
        await lab.Cluster.ExecuteAsync("ALTER DATABASE app RENAME TO app_old");
        await lab.Cluster.ExecuteAsync("ALTER DATABASE other RENAME TO app");
        await lab.Lab.ArchiveAsync();
        TableExtractionResult result = await lab.ExtractAsync(RestoreTarget.Latest, "only_in_other");
        Assert.Equal(["public.only_in_other"], result.Tables);
        Assert.Contains("another database is called 'app'", Assert.Single(result.Warnings), StringComparison.Ordinal);
        Assert.False(result.IsWholeCluster);
        await lab.Cluster.ExecuteAsync("ALTER DATABASE app RENAME TO other");
        await lab.Cluster.ExecuteAsync("CREATE DATABASE app TEMPLATE app_old STRATEGY file_copy");
        await lab.Lab.ArchiveAsync();
        TableExtractionResult copied = await lab.ExtractAsync(RestoreTarget.Latest, "app.orders");
        Assert.True(copied.IsWholeCluster);
        await lab.Cluster.ExecuteAsync("DROP DATABASE app");
        await lab.Lab.ArchiveAsync();
        PgBackupException gone = await lab.RefusedAsync(RestoreTarget.Latest, "DatabaseNotFound", "app.orders");
        Assert.Contains("'app_old'", gone.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PagesThatAreMissingOfTheWantedDatabaseAreNotPassedOver()
    {
        // Without checksums a page that VACUUM finds visible to all is not in the log.
        await using ExtractionLab lab = await ExtractionLab.StartAsync(new PostgresClusterOptions { DataChecksums = false });
        string node = await lab.Cluster.ScalarAsync<string>("SELECT pg_relation_filepath('app.orders')", "app");
        await lab.Lab.BackupAsync();
        await lab.Cluster.ExecuteAsync("VACUUM app.orders", "app");
        await lab.Cluster.ExecuteAsync("VACUUM big", "other");
        await lab.Lab.ArchiveAsync();
        TableExtractionResult result = await lab.ExtractAsync(RestoreTarget.Latest, "app.orders");
        Assert.False(result.IsWholeCluster);
        string copy = lab.Lab.RestoreCommand;
        lab.Lab.RestoreCommand = $"rm -f '{node}' && {copy}"; // It runs in the data directory, once the files are there.
        PgBackupException damaged = await lab.RefusedAsync(RestoreTarget.Latest, "BackupDamaged", "app.orders");
        Assert.Contains(node, damaged.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ATablespaceThatReplayWouldMakeInItsOldFolderIsRefused()
    {
        await using ExtractionLab lab = await ExtractionLab.StartAsync();
        await lab.Lab.BackupAsync();
        DateTimeOffset before = await lab.NowAsync();
        await lab.Cluster.ExecuteAsync("UPDATE app.orders SET v = 'late'", "app");
        string location = await lab.Cluster.CreateTablespaceAsync("later");
        await lab.Cluster.ExecuteAsync("CREATE TABLE kept TABLESPACE later AS SELECT 1 AS n");
        await lab.Lab.ArchiveAsync();
        string[] files = Directory.GetFiles(location, "*", SearchOption.AllDirectories);
        PgBackupException refused = await lab.RefusedAsync(RestoreTarget.Latest, "TablespaceCreatedLater", "app.orders");
        Assert.Contains(location, refused.Message, StringComparison.Ordinal);
        Assert.Equal(files, Directory.GetFiles(location, "*", SearchOption.AllDirectories));
        await lab.ExtractAsync(RestoreTarget.AtTime(before), "app.orders");
        lab.RequireClean();
    }

    [Fact]
    public async Task ASuperuserOfAnotherNameIsFound()
    {
        await using ExtractionLab lab = await ExtractionLab.StartAsync();
        await lab.Cluster.ExecuteAsync("CREATE ROLE \"The Boss\" SUPERUSER LOGIN");
        await lab.Lab.BackupAsync();
        DateTimeOffset time;
        await using (NpgsqlConnection session = new(lab.Cluster.ConnectionString))
        {
            await session.OpenAsync();
            await new NpgsqlCommand("ALTER ROLE postgres NOLOGIN", session).ExecuteNonQueryAsync();
            time = new DateTimeOffset((DateTime)(await new NpgsqlCommand("SELECT clock_timestamp()", session).ExecuteScalarAsync())!);
            await Task.Delay(20);
            await new NpgsqlCommand("ALTER ROLE postgres LOGIN", session).ExecuteNonQueryAsync();
        }
        await lab.Lab.ArchiveAsync();
        TableExtractionResult result = await lab.ExtractAsync(RestoreTarget.AtTime(time), "app.orders");
        Assert.True(result.Size.Bytes > 50_000);
        lab.RequireClean();
    }

    [Theory]
    [InlineData("lz4")]
    [InlineData("zstd-sodium")]
    public async Task WhatWalGWroteTellsItsTablesToo(string name)
    {
        var fixture = WalgFixture.Named(name);
        await using RestoreLab lab = RestoreLab.Without(fixture.Open());
        await lab.DecodeWalAsync();
        string work = ServerAccount.Current.CreateFolder(lab.Folder.Combine("work"), TempFolder.Traversable);
        var options = new TableExtractionOptions
        {
            Database = "postgres",
            Tables = ["*"],
            Destination = lab.Folder.Combine("all.sql"),
            WorkPath = work,
            RestoreCommand = _ => lab.RestoreCommand,
        };
        TableExtraction extraction = await TableExtraction.PrepareAsync(lab.Repository, options);
        TableExtractionResult result = await extraction.RunAsync(static error => throw error);
        Assert.False(result.IsWholeCluster);
        Assert.NotEmpty(result.Tables);
        Assert.Empty(Directory.EnumerateFileSystemEntries(work));
    }

    [Theory]
    [InlineData(13)] // By newer programs: it has none of its own.
    [InlineData(17)]
    [InlineData(18)]
    public async Task AServerOfAnotherVersion(int major)
    {
        await using ExtractionLab lab = await ExtractionLab.StartAsync(new PostgresClusterOptions { Tools = PostgresTools.OfMajor(major) });
        await lab.Lab.BackupAsync();
        await lab.Cluster.ExecuteAsync("UPDATE big SET v = 'x' WHERE g % 1000 = 0", "other");
        await lab.Cluster.ExecuteAsync("CREATE DATABASE copied TEMPLATE other");
        await lab.Lab.ArchiveAsync();
        TableExtractionResult result = await lab.ExtractAsync(RestoreTarget.Latest, "app.orders");
        Assert.False(result.IsWholeCluster);
        lab.RequireClean();
    }
}
