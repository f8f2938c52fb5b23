using PgBackup.Postgres.Tools;

namespace PgBackup.Tests.Kit;

public sealed class PostgresClusterTests
{
    [Fact]
    public async Task ACrashKeepsWhatWasCommitted()
    {
        await using PostgresCluster cluster = await PostgresCluster.RunAsync();
        await cluster.ExecuteAsync("CREATE TABLE t AS SELECT 42 AS n");
        await cluster.Kill9Async();
        Assert.False(cluster.IsRunning);
        await cluster.StartAsync();
        Assert.Equal(42, await cluster.ScalarAsync<int>("SELECT n FROM t"));
        Assert.Equal("on", await cluster.ScalarAsync<string>("SHOW data_checksums"));
        await cluster.RestartAsync();
        Assert.Equal(42, await cluster.ScalarAsync<int>("SELECT n FROM t"));
    }

    [Fact]
    public async Task DebiansLayoutSegmentSizeSettingsAndTablespaces()
    {
        await using PostgresCluster cluster = await PostgresCluster.RunAsync(new PostgresClusterOptions
        {
            SeparateConfiguration = true,
            WalSegmentMegabytes = 1,
            DataChecksums = false,
            Settings = new Dictionary<string, string> { ["archive_mode"] = "on", ["archive_command"] = "echo 'it''s' %p" },
        });
        Assert.Equal("1MB", await cluster.ScalarAsync<string>("SHOW wal_segment_size"));
        Assert.Equal("off", await cluster.ScalarAsync<string>("SHOW data_checksums"));
        Assert.Equal("echo 'it''s' %p", await cluster.ScalarAsync<string>("SHOW archive_command"));
        Assert.Equal(Path.Combine(cluster.ConfigurationDirectory, "pg_hba.conf"), await cluster.ScalarAsync<string>("SHOW hba_file"));
        Assert.False(File.Exists(Path.Combine(cluster.DataDirectory, "postgresql.conf")));
        string location = await cluster.CreateTablespaceAsync("space one");
        Assert.NotEmpty(Directory.GetDirectories(location));
    }

    [Fact]
    public async Task IdentitiesAreSharedUnlessAFreshOneIsWanted()
    {
        await using PostgresCluster first = await PostgresCluster.RunAsync();
        await using PostgresCluster copy = await PostgresCluster.RunAsync();
        await using PostgresCluster fresh = await PostgresCluster.RunAsync(new PostgresClusterOptions { FreshIdentity = true });
        const string Identity = "SELECT system_identifier FROM pg_control_system()";
        long identifier = await first.ScalarAsync<long>(Identity);
        Assert.Equal(identifier, await copy.ScalarAsync<long>(Identity));
        Assert.NotEqual(identifier, await fresh.ScalarAsync<long>(Identity));
        Assert.NotEqual(first.Port, copy.Port);
    }

    [Fact]
    public async Task ToolsRunAgainstTheServer()
    {
        await using PostgresCluster cluster = await PostgresCluster.RunAsync();
        await cluster.RunToolAsync("pgbench", "-i", "-q", "-s", "1");
        Assert.Equal(100_000, await cluster.ScalarAsync<long>("SELECT count(*) FROM pgbench_accounts"));
    }

    // Of the server's own major version, never of a newer one that could serve it as well.
    [Theory]
    [InlineData(15)]
    [InlineData(17)]
    [InlineData(18)]
    public async Task ClientProgramsOfTheServersVersionAreFoundOnThePath(int major)
    {
        var tools = PostgresTools.OfMajor(major);
        await using PostgresCluster cluster = await PostgresCluster.RunAsync(new PostgresClusterOptions { Tools = tools });
        await cluster.ExecuteAsync("CREATE TABLE dumped AS SELECT 42 AS n");
        foreach (string name in new[] { ClientTool.PgDump, ClientTool.PgDumpAll, ClientTool.PgRestore, ClientTool.Psql })
            Assert.Equal((major, tools.Tool(name)), ((await ClientTool.FindAsync(name, major)) is { } tool ? (tool.Version.Major, tool.Path) : default));
        Assert.Contains("CREATE TABLE public.dumped", (await cluster.RunToolAsync("pg_dump")), StringComparison.Ordinal);
        Assert.Contains("CREATE ROLE postgres", (await cluster.RunToolAsync("pg_dumpall", "--globals-only")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AFailedStartShowsTheLogAndLeavesNothing()
    {
        await using PostgresCluster cluster = await PostgresCluster.CreateAsync(new PostgresClusterOptions
        {
            Settings = new Dictionary<string, string> { ["no_such_setting"] = "1" },
        });
        InvalidOperationException error = await Assert.ThrowsAsync<InvalidOperationException>(cluster.StartAsync);
        Assert.Contains("no_such_setting", error.Message, StringComparison.Ordinal);
        Assert.False(cluster.IsRunning);
    }

    [Fact]
    public async Task DisposeEndsTheServerAndRemovesItsFolder()
    {
        PostgresCluster cluster = await PostgresCluster.RunAsync();
        string folder = cluster.Folder;
        await cluster.DisposeAsync();
        Assert.False(cluster.IsRunning);
        Assert.False(Directory.Exists(folder));
    }
}
