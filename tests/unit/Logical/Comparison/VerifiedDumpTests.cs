using PgBackup.Errors;
using PgBackup.Logical.Comparison;
using PgBackup.Logical.Dump;
using PgBackup.Postgres.Server;
using PgBackup.Repository;
using PgBackup.Repository.Dumps;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Logical.Dump;
using Xunit;

namespace PgBackup.Tests.Logical.Comparison;

/// <summary>Dumps that are restored into a scratch database of a real server and compared with their snapshot.</summary>
public sealed class VerifiedDumpTests(DumpServer server) : IClassFixture<DumpServer>
{
    [Theory]
    [InlineData(DumpFormat.Custom)]
    [InlineData(DumpFormat.Directory)]
    [InlineData(DumpFormat.Plain)]
    [InlineData(DumpFormat.Tar)]
    public async Task OfEveryFormatIsProven(DumpFormat format)
    {
        using var folder = new TempFolder();
        DatabaseBackup backup = await RunAsync(Repository(folder), server.Options("everything") with { Format = format });
        AssertVerified(backup.Verification);
        Assert.Equal((20100L, 1L), (backup.Verification!.RowCount, backup.Verification.LargeObjectCount));
        Assert.True(backup.Verification.ObjectCount > 20, backup.Verification.ToString());
        await AssertNoScratchAsync();
    }

    [Theory]
    [InlineData("dump.sql.zst")]
    [InlineData("dump.dump")]
    public async Task OfAFileIsProven(string name)
    {
        using var folder = new TempFolder();
        DumpOptions options = server.Options("everything") with { Format = DumpDestination.FormatOf(folder.Combine(name)) ?? DumpFormat.Custom };
        DumpFileResult file = await VerifiedDump.RunToFileAsync(options, folder.Combine(name), overwrite: false, server: null, new KeptLog(), NoProgress.Instance);
        AssertVerified(file.Verification);
        await AssertNoScratchAsync();
    }

    [Theory]
    [InlineData("empty", null, 0)]
    [InlineData("everything", "plain*", 0)]
    [InlineData("everything", "\"App Space\".*", 0)]
    [InlineData("everything", "app.parts*", 100)]
    public async Task OfAPartIsProvenAsFarAsItGoes(string database, string? table, long rows)
    {
        using var folder = new TempFolder();
        DatabaseBackup backup = await RunAsync(Repository(folder), server.Options(database) with { Tables = table is null ? [] : [table] });
        AssertVerified(backup.Verification);
        Assert.Equal(rows, backup.Verification!.RowCount);
    }

    [Fact]
    public async Task WithoutRowsTheSchemaAloneIsCompared()
    {
        using var folder = new TempFolder();
        DatabaseBackup backup = await RunAsync(Repository(folder), server.Options("everything") with { SchemaOnly = true });
        AssertVerified(backup.Verification);
        Assert.Equal((0, null), (backup.Verification!.TableCount, backup.Verification.LargeObjectCount));
    }

    [Fact]
    public async Task RowsThatDoNotComeBackAreNamed()
    {
        // The usual case: a check that reads another table, whose rows are not there yet.
        await server.Cluster.ExecuteAsync("CREATE DATABASE broken");
        await server.Cluster.ExecuteAsync(
            """
            CREATE TABLE z_limits(top int); INSERT INTO z_limits VALUES (100);
            CREATE FUNCTION fits(n int) RETURNS boolean LANGUAGE sql AS 'SELECT n <= (SELECT max(top) FROM public.z_limits)';
            CREATE TABLE a_orders(n int CHECK (coalesce(public.fits(n), false))); INSERT INTO a_orders SELECT generate_series(1, 7);
            """,
            "broken");
        using var folder = new TempFolder();
        BackupRepository repository = Repository(folder);
        DatabaseBackup backup = await RunAsync(repository, server.Options("broken"));
        DumpVerification found = backup.Verification!;
        Assert.Equal((DumpVerificationStatus.Different, 2), (found.Status, found.DifferenceCount));
        Assert.Contains(found.Differences, d => d.Problem.Contains("a_orders_n_check", StringComparison.Ordinal));
        Assert.Contains(found.Differences, d => d is { Object: "TABLE public.a_orders", Problem: "7 rows were dumped, 0 restored" });
        PgBackupException error = PgErrors.DumpUnproven(backup.Name, "broken", found);
        Assert.Equal(("VerificationFailed", 14), (error.Id, error.ExitCode));
        Assert.Equal(backup.Name, Assert.Single(await DumpCatalog.ListAsync(repository)).Name);
        await AssertNoScratchAsync();
    }

    [Fact]
    public async Task ComparesWithTheSnapshotNotWithWhatCameLater()
    {
        await server.Cluster.ExecuteAsync("CREATE DATABASE busy");
        await server.Cluster.ExecuteAsync("CREATE TABLE t AS SELECT generate_series(1, 10) g; SELECT lo_create(0)", "busy");
        using var folder = new TempFolder();
        var log = new ActingLog("Dumped ", () => server.Cluster.ExecuteAsync("INSERT INTO t SELECT 1; CREATE TABLE later(x int); SELECT lo_create(0)", "busy").GetAwaiter().GetResult());
        DatabaseBackup backup = await RunAsync(Repository(folder), server.Options("busy"), log: log);
        AssertVerified(backup.Verification);
        Assert.Equal((10L, 1L), (backup.Verification!.RowCount, backup.Verification.LargeObjectCount));
    }

    [Fact]
    public async Task ADamagedObjectIsFound()
    {
        using var folder = new TempFolder();
        BackupRepository repository = Repository(folder);
        var log = new ActingLog("Dumped ", () =>
        {
            string stored = Assert.Single(Directory.EnumerateFiles(folder.Path, "dump.dump*", SearchOption.AllDirectories));
            using FileStream file = File.OpenWrite(stored);
            file.Position = file.Length / 2;
            file.Write(new byte[64]);
        });
        DatabaseBackup backup = await RunAsync(repository, server.Options("everything"), log: log);
        Assert.Equal(DumpVerificationStatus.Different, backup.Verification!.Status);
        await AssertNoScratchAsync();
    }

    [Fact]
    public async Task ALostSessionLeavesTheDumpUnproven()
    {
        using var folder = new TempFolder();
        BackupRepository repository = Repository(folder);
        var log = new ActingLog("Dumped ", () => server.Cluster.ExecuteAsync(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'PgBackup' AND datname = 'everything'").GetAwaiter().GetResult());
        DatabaseBackup backup = await RunAsync(repository, server.Options("everything"), log: log);
        Assert.Equal(DumpVerificationStatus.NotVerified, backup.Verification!.Status);
        PgBackupException error = PgErrors.DumpUnproven(backup.Name, "everything", backup.Verification);
        Assert.Equal(("DumpNotVerified", ExitCodes.ServerUnreachable), (error.Id, error.ExitCode));
        Assert.Equal(BackupStatus.Complete, Assert.Single(await DumpCatalog.ListAsync(repository)).Status);
    }

    [Fact]
    public async Task AStoppedRunDropsItsDatabase()
    {
        using var folder = new TempFolder();
        using var stop = new CancellationTokenSource();
        bool wasThere = false;
        var log = new ActingLog("pg_restore: creating", () =>
        {
            wasThere = ScratchCountAsync().GetAwaiter().GetResult() == 1;
            stop.Cancel();
        });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RunAsync(Repository(folder), server.Options("everything"), log: log, cancellationToken: stop.Token));
        Assert.True(wasThere);
        await AssertNoScratchAsync();
    }

    [Fact]
    public async Task WhatAKilledRunLeftIsDroppedAndWhatAnotherUsesIsNot()
    {
        const string Left = "pgbackup_verify_00000000000000aa", Used = "pgbackup_verify_00000000000000bb", Foreign = "pgbackup_verify_of_mine";
        foreach (string name in (string[])[Left, Used, Foreign])
            await server.Cluster.ExecuteAsync($"CREATE DATABASE {name}");
        await using (ServerSession other = await ServerSession.OpenAsync(server.Settings(), "postgres"))
        {
            await other.ExecuteAsync($"SELECT pg_advisory_lock(hashtextextended('{Used}', 0))");
            using var folder = new TempFolder();
            var log = new KeptLog();
            AssertVerified((await RunAsync(Repository(folder), server.Options("empty"), log: log)).Verification);
            Assert.Contains(log.Lines, line => line.Level == LogLevel.Warning && line.Text.Contains(Left, StringComparison.Ordinal));
            Assert.Equal($"{Used} {Foreign}", await server.Cluster.ScalarAsync<string>("SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE datname LIKE 'pgbackup_verify%'"));
            Assert.DoesNotContain(Used, await DatabaseDumpJob.ChooseDatabasesAsync(server.Settings(), new DumpSelection { All = true }));
        }
        await server.Cluster.ExecuteAsync($"DROP DATABASE {Used}");
        await server.Cluster.ExecuteAsync($"DROP DATABASE {Foreign}");
    }

    [Fact]
    public async Task ARoleThatMayNotCreateDatabasesIsToldBeforeADump()
    {
        await server.Cluster.ExecuteAsync("CREATE ROLE looker LOGIN; GRANT pg_read_all_data TO looker");
        using var folder = new TempFolder();
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => RunAsync(Repository(folder), server.Options("everything", "looker")));
        Assert.Equal("VerifyServerUnfit", error.Id);
        Assert.False(Directory.Exists(folder.Combine("repository")));
    }

    [Fact]
    public async Task AnOrdinaryRoleProvesWithoutOwners()
    {
        await server.Cluster.ExecuteAsync("CREATE ROLE maker LOGIN CREATEDB; CREATE ROLE somebody; GRANT pg_read_all_data TO maker");
        await server.Cluster.ExecuteAsync("CREATE DATABASE owned");
        await server.Cluster.ExecuteAsync("CREATE TABLE t AS SELECT 1 AS x; ALTER TABLE t OWNER TO somebody; GRANT SELECT ON t TO maker WITH GRANT OPTION", "owned");
        using var folder = new TempFolder();
        AssertVerified((await RunAsync(Repository(folder), server.Options("owned", "maker"))).Verification);
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => RunAsync(Repository(folder), server.Options("owned", "maker") with { Format = DumpFormat.Plain }));
        Assert.Equal("DumpOptionsInvalid", error.Id);
        await AssertNoScratchAsync();
    }

    [Theory]
    [InlineData(15)]
    [InlineData(17)]
    public async Task OnAnotherServerThatHasNoneOfTheRoles(int major)
    {
        await server.Cluster.ExecuteAsync($"CREATE ROLE owner_{major}");
        await server.Cluster.ExecuteAsync($"CREATE DATABASE elsewhere_{major}");
        await server.Cluster.ExecuteAsync($"CREATE TABLE t AS SELECT generate_series(1, 5) g; ALTER TABLE t OWNER TO owner_{major}; GRANT SELECT ON t TO owner_{major}", $"elsewhere_{major}");
        await using PostgresCluster other = await PostgresCluster.RunAsync(new PostgresClusterOptions { Tools = PostgresTools.OfMajor(major) });
        using var folder = new TempFolder();
        DatabaseBackup backup = await RunAsync(
            Repository(folder), server.Options($"elsewhere_{major}"), new ServerConnectionSettings { HostName = "127.0.0.1", Port = other.Port, UserName = "postgres" });
        AssertVerified(backup.Verification);
        Assert.Equal((5L, $"127.0.0.1:{other.Port}"), (backup.Verification!.RowCount, backup.Verification.Server));
        Assert.Equal(0, await other.ScalarAsync<long>("SELECT count(*) FROM pg_database WHERE datname LIKE 'pgbackup%'"));
    }

    [Theory]
    [InlineData(DumpFormat.Custom)]
    [InlineData(DumpFormat.Plain)]
    public async Task ASubscriptionStaysAloneWithItsSlot(DumpFormat format)
    {
        string database = $"subscribed_{format}".ToLowerInvariant();
        await server.Cluster.ExecuteAsync($"CREATE DATABASE {database}");
        await server.Cluster.ExecuteAsync($"CREATE TABLE t(x int); CREATE SUBSCRIPTION s_{database} CONNECTION 'host=127.0.0.1 port=1 dbname=x' PUBLICATION p WITH (connect = false, slot_name = 'kept')", database);
        using var folder = new TempFolder();
        AssertVerified((await RunAsync(Repository(folder), server.Options(database) with { Format = format })).Verification);
        await AssertNoScratchAsync();
        Assert.Equal("kept", await server.Cluster.ScalarAsync<string>($"SELECT subslotname::text FROM pg_subscription WHERE subname = 's_{database}'"));
    }

    [Theory]
    [Trait("Category", "Full")]
    [InlineData(DumpFormat.Custom)]
    [InlineData(DumpFormat.Directory)]
    public async Task ATableOfMoreThanTwoGigabytesIsProven(DumpFormat format)
    {
        string database = $"large_{format}".ToLowerInvariant();
        await server.Cluster.ExecuteAsync($"CREATE DATABASE {database}");
        await server.Cluster.ExecuteAsync("CREATE UNLOGGED TABLE t AS SELECT g AS id, decode(repeat(md5(g::text), 56), 'hex') AS raw FROM generate_series(1, 2300000) g", database);
        Assert.True(await server.Cluster.ScalarAsync<long>("SELECT pg_table_size('t')", database) > 2L << 30);
        using var folder = new TempFolder();
        DatabaseBackup backup = await RunAsync(Repository(folder), server.Options(database) with { Format = format });
        AssertVerified(backup.Verification);
        Assert.Equal(2300000, backup.Verification!.RowCount);
        await server.Cluster.ExecuteAsync($"DROP DATABASE {database}");
    }

    private static BackupRepository Repository(TempFolder folder) => new(new DirectoryStore(folder.Combine("repository")), null);

    private static Task<DatabaseBackup> RunAsync(
        BackupRepository repository, DumpOptions options, ServerConnectionSettings? on = null, IOperationLog? log = null, CancellationToken cancellationToken = default) =>
        VerifiedDump.RunAsync(repository, options, on, log ?? new KeptLog(), NoProgress.Instance, cancellationToken);

    private static void AssertVerified(DumpVerification? verification) =>
        Assert.Equal(("Verified", null), (verification?.Status.ToString(), verification?.Problem));

    private Task<long> ScratchCountAsync() => server.Cluster.ScalarAsync<long>("SELECT count(*) FROM pg_database WHERE datname ~ '^pgbackup_verify_[0-9a-f]{16}$'");

    private async Task AssertNoScratchAsync() => Assert.Equal(0, await ScratchCountAsync());

    /// <summary>Does something once, when a line of a beginning is logged.</summary>
    private sealed class ActingLog(string beginning, Action act) : IOperationLog
    {
        private int _done;

        public void Write(LogLevel level, string message)
        {
            if (message.StartsWith(beginning, StringComparison.Ordinal) && Interlocked.Exchange(ref _done, 1) == 0)
                act();
        }
    }
}
