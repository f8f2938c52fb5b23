using PgBackup.Errors;
using PgBackup.Restore;
using PgBackup.Restore.Planning;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Restore;

/// <summary>Tablespaces, configuration elsewhere, and a restore in place.</summary>
public sealed class SurroundingsTests
{
    [Fact]
    public async Task TablespacesGoWhereTheyAreMapped()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        string source = await lab.Cluster.CreateTablespaceAsync("fast");
        await lab.Cluster.ExecuteAsync("CREATE TABLE s (v int) TABLESPACE fast; INSERT INTO s SELECT generate_series(1, 5000)");
        await lab.BackupAsync();
        await lab.Cluster.ExecuteAsync("UPDATE s SET v = v + 1");
        await lab.ArchiveAsync();

        RestoreRequest request = lab.Request(RestoreTarget.Latest);
        PgBackupException refused = await Assert.ThrowsAsync<PgBackupException>(() => lab.RestoreAsync(new RestoreOptions { Request = request }));
        Assert.Equal("TablespaceMappingRequired", refused.Id);
        Assert.False(Directory.Exists(request.DataDirectory));
        PgBackupException wrong = await Assert.ThrowsAsync<PgBackupException>(() => lab.RestoreAsync(new RestoreOptions
        {
            Request = request with { TablespaceMapping = new Dictionary<string, string> { ["/nowhere"] = "/tmp/x" } },
        }));
        Assert.Equal("TablespaceMappingInvalid", wrong.Id);

        string target = lab.NewDestination("mapped");
        string[] before = Directory.GetFiles(source, "*", SearchOption.AllDirectories);
        RestoreResult result = await lab.RestoreAsync(new RestoreOptions
        {
            Request = request with { TablespaceMapping = new Dictionary<string, string> { [source] = target } },
            Start = true,
        });
        Assert.Equal("5001", await RestoreLab.QueryAsync(result, "SELECT max(v)::text FROM s"));
        Assert.Equal(target, await RestoreLab.QueryAsync(result, "SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'fast'"));
        await RestoreLab.QueryAsync(result, "INSERT INTO s SELECT generate_series(1, 100000)");
        await RestoreLab.QueryAsync(result, "CHECKPOINT");
        Assert.Equal(before, Directory.GetFiles(source, "*", SearchOption.AllDirectories));
        Assert.Equal(5000, await lab.Cluster.ScalarAsync<long>("SELECT count(*) FROM s"));
    }

    [Fact]
    public async Task ConfigurationThatLayElsewhereComesAlong()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync(new PostgresClusterOptions
        {
            SeparateConfiguration = true,
            Settings = new Dictionary<string, string> { ["work_mem"] = "6MB", ["log_directory"] = "/nonexistent/log", ["max_connections"] = "150" },
        });
        await lab.BackupAsync();
        await lab.InsertAsync("A");
        await lab.ArchiveAsync();
        RestoreResult result = await lab.RestoreAsync(RestoreTarget.Latest);
        Assert.Equal("A", await RestoreLab.RowsAsync(result));
        Assert.Equal("6MB", await RestoreLab.QueryAsync(result, "SHOW work_mem"));
        Assert.Equal(result.DataDirectory, await RestoreLab.QueryAsync(result, "SHOW data_directory"));
        Assert.StartsWith(result.DataDirectory, await RestoreLab.QueryAsync(result, "SHOW config_file"), StringComparison.Ordinal);
        Assert.StartsWith(result.DataDirectory, await RestoreLab.QueryAsync(result, "SHOW hba_file"), StringComparison.Ordinal);
        Assert.Equal("", await RestoreLab.QueryAsync(result, "SHOW external_pid_file"));
        Assert.Empty(result.Warnings);
        Assert.True(lab.Cluster.IsRunning);
        Assert.Equal(1, await lab.Cluster.ScalarAsync<long>("SELECT count(*) FROM t"));
    }

    /// <summary>Restored where the source and its files are no more: what cannot hold there is set right, what is said in included files holds.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ConfigurationThatTheSourceAloneCouldRunWithIsSetRight(bool separateConfiguration)
    {
        await using RestoreLab lab = await RestoreLab.StartAsync(new PostgresClusterOptions { SeparateConfiguration = separateConfiguration });
        string main = Path.Combine(lab.Cluster.ConfigurationDirectory, "postgresql.conf");
        string outside = ServerAccount.Current.CreateFolder(lab.Folder.Combine("etc"), TempFolder.Traversable);
        ServerAccount.Current.CreateFolder(Path.Combine(lab.Cluster.ConfigurationDirectory, "more"));
        ServerAccount.Current.CreateFolder(Path.Combine(outside, "empty"));
        string hba = Path.Combine(outside, "hba.conf");
        await File.WriteAllTextAsync(hba, "local all all trust\nhost all all 127.0.0.1/32 trust\nhost all somebody 192.0.2.7/32 reject\n");
        await File.WriteAllTextAsync(Path.Combine(outside, "common.conf"), "work_mem = 6MB\ninclude 'deep.conf'\n");
        await File.WriteAllTextAsync(Path.Combine(outside, "deep.conf"), "temp_buffers = 9MB\n");
        await File.WriteAllTextAsync(Path.Combine(lab.Cluster.ConfigurationDirectory, "more", "a.conf"), "maintenance_work_mem = 80MB\n");
        await File.AppendAllTextAsync(main, $"""
            data_directory = '{lab.Cluster.DataDirectory}'
            hba_file = '{hba}'
            include '{outside}/common.conf'
            include_dir = 'more'
            include_dir '{outside}/empty'
            include_if_exists '{outside}/none.conf'

            """);
        ServerAccount.Current.Own(outside);
        ServerAccount.Current.Own(lab.Cluster.ConfigurationDirectory);
        await lab.Cluster.RestartAsync();
        Assert.Equal("80MB", await lab.Cluster.ScalarAsync<string>("SHOW maintenance_work_mem"));
        // From here on the source itself could not start any more.
        await File.AppendAllTextAsync(main, """
            ssl = on
            ssl_cert_file = '/nonexistent/server.crt'
            huge_pages = on
            logging_collector = on
            log_directory = '/nonexistent/log'
            external_pid_file = '/nonexistent/run/main.pid'
            synchronous_standby_names = 'nobody'

            """);
        await lab.BackupAsync();
        await lab.InsertAsync("A");
        await lab.ArchiveAsync();
        await lab.Cluster.StopAsync(StopMode.Immediate);
        string gone = lab.Folder.Combine("gone");
        Directory.Move(lab.Cluster.Folder, gone);
        Directory.Delete(outside, recursive: true);
        RestoreResult result;
        try
        {
            result = await lab.RestoreAsync(RestoreTarget.Latest);
        }
        finally
        {
            Directory.Move(gone, lab.Cluster.Folder);
        }
        Assert.Equal("A", await RestoreLab.RowsAsync(result));
        Assert.Contains("/nonexistent/server.crt", Assert.Single(result.Warnings), StringComparison.Ordinal);
        foreach ((string setting, string value) in new[]
        {
            ("work_mem", "6MB"), ("temp_buffers", "9MB"), ("maintenance_work_mem", "80MB"), ("ssl", "off"), ("external_pid_file", ""), ("log_directory", "log"),
            ("data_directory", result.DataDirectory), ("synchronous_standby_names", ""),
        })
            Assert.Equal(value, await RestoreLab.QueryAsync(result, $"SHOW {setting}"));
        Assert.Equal("1", await RestoreLab.QueryAsync(result, "SELECT count(*) FROM pg_hba_file_rules WHERE 'somebody' = ANY (user_name)"));
        await RestoreLab.QueryAsync(result, "INSERT INTO t VALUES ('B')");
        Assert.DoesNotContain("external PID", await File.ReadAllTextAsync(result.LogPath!), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task InPlaceTheOldDirectoryIsSetAside(bool separateConfiguration)
    {
        await using RestoreLab lab = await RestoreLab.StartAsync(new PostgresClusterOptions { SeparateConfiguration = separateConfiguration });
        string space = await lab.Cluster.CreateTablespaceAsync("fast");
        await lab.Cluster.ExecuteAsync("CREATE TABLE s (v int) TABLESPACE fast; INSERT INTO s VALUES (1)");
        await lab.BackupAsync();
        DateTimeOffset time = await lab.InsertAsync("A");
        await lab.Cluster.ExecuteAsync("DROP TABLE t");
        await lab.ArchiveAsync();
        RestoreResult result = await lab.RestoreAsync(new RestoreOptions
        {
            Request = lab.Request(RestoreTarget.AtTime(time), lab.Cluster.DataDirectory) with { StopServer = true },
        });
        Assert.Equal(RestoreStatus.Promoted, result.Status);
        Assert.Equal("A", await lab.Cluster.ScalarAsync<string>("SELECT string_agg(v, ',') FROM t"));
        Assert.Equal(1, await lab.Cluster.ScalarAsync<long>("SELECT count(*) FROM s"));
        Assert.Equal(space, await lab.Cluster.ScalarAsync<string>("SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'fast'"));
        Assert.StartsWith(lab.Cluster.ConfigurationDirectory, await lab.Cluster.ScalarAsync<string>("SHOW config_file"), StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(result.PreviousDataDirectory!, "PG_VERSION")));
        string link = Directory.GetFileSystemEntries(Path.Combine(result.PreviousDataDirectory!, "pg_tblspc")).Single();
        Assert.StartsWith(space + ".before-", new FileInfo(link).LinkTarget, StringComparison.Ordinal);
    }
}
