using System.Formats.Tar;
using PgBackup.Backup;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Postgres.Server;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Backup;

/// <summary>Data directories as they are found in the world.</summary>
public sealed class DataDirectoryTests
{
    private const string HexKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    [Fact]
    public async Task DebiansConfigurationIsKeptBesideTheBackup()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync(new PostgresClusterOptions { SeparateConfiguration = true });
        string configuration = source.Cluster.ConfigurationDirectory;

        BackupResult result = await source.BackUpAsync();

        BackupName.TryParse(result.Name, out BackupName? name);
        await using Stream tar = await source.Repository.OpenDecodedAsync(RepositoryLayout.ConfigurationKey(name!));
        using var reader = new TarReader(tar);
        var kept = new Dictionary<string, string>();
        while (reader.GetNextEntry() is { } entry)
            kept[entry.Name] = new StreamReader(entry.DataStream!).ReadToEnd();
        Assert.Equal("pgbackup_config.json", kept.Keys.First());
        Assert.Contains($"\"config_file\":\"{configuration}/postgresql.conf\"", kept["pgbackup_config.json"], StringComparison.Ordinal);
        Assert.Equal(File.ReadAllText(Path.Combine(configuration, "pg_hba.conf")), kept[configuration[1..] + "/pg_hba.conf"]);
        Assert.Contains(kept.Keys, file => file.EndsWith("/conf.d/test.conf", StringComparison.Ordinal) || file.Contains("/conf.d/", StringComparison.Ordinal));
        await new WalGBackupChecker(source.RepositoryPath, result.Name).CheckAsync();
    }

    [Fact]
    public async Task LinksAreFollowedAndWhatIsNoUtf8IsTold()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        string data = source.Cluster.DataDirectory;
        await source.Cluster.StopAsync();
        string outside = ServerAccount.Current.CreateFolder(Path.Combine(source.Cluster.Folder, "outside"));
        Directory.Move(Path.Combine(data, "pg_wal"), Path.Combine(outside, "wal"));
        File.CreateSymbolicLink(Path.Combine(data, "pg_wal"), Path.Combine(outside, "wal"));
        File.Move(Path.Combine(data, "pg_hba.conf"), Path.Combine(outside, "hba"));
        File.CreateSymbolicLink(Path.Combine(data, "pg_hba.conf"), Path.Combine(outside, "hba"));
        File.CreateSymbolicLink(Path.Combine(data, "nowhere"), Path.Combine(outside, "nothing"));
        File.WriteAllText(Path.Combine(data, "two\nlines 'and' \"quotes\""), "kept");
        File.WriteAllText(Path.Combine(data, new string('l', 150)), "a long name");
        File.WriteAllText(Path.Combine(data, "backup_label.old"), "stale");
        File.WriteAllText(Path.Combine(data, "base", "1", "t3_99999"), "temporary");
        ServerAccount.Current.Own(data);
        await using BadlyNamedFile badlyNamed = await BadlyNamedFile.CreateAsync(data);
        await source.Cluster.StartAsync();
        var log = new RecordingLog();

        BackupResult result = await source.BackUpAsync(log: log);

        using var folder = new TempFolder();
        var checker = new WalGBackupChecker(source.RepositoryPath, result.Name);
        await checker.CheckAsync(folder.Combine("data"));
        Assert.Contains("/pg_wal", checker.Files.EnumerateObject().Select(p => p.Name));
        Assert.DoesNotContain(checker.Members.Keys, name => name.StartsWith("/pg_wal/", StringComparison.Ordinal));
        Assert.Equal(File.ReadAllText(Path.Combine(outside, "hba")), File.ReadAllText(folder.Combine("data", "pg_hba.conf")));
        Assert.Equal("kept", File.ReadAllText(folder.Combine("data", "two\nlines 'and' \"quotes\"")));
        Assert.Equal("a long name", File.ReadAllText(folder.Combine("data", new string('l', 150))));
        Assert.DoesNotContain("/backup_label.old", checker.Members.Keys);
        Assert.DoesNotContain("/base/1/t3_99999", checker.Members.Keys);
        Assert.Contains(log.Of(LogLevel.Warning), line => line.Contains("not UTF-8", StringComparison.Ordinal));
        Assert.Contains(log.Of(LogLevel.Warning), line => line.Contains("leads nowhere", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AnEncryptedRepositoryShowsNeitherDataNorNamesOfTables()
    {
        EncryptionKey key = EncryptionKey.FromSettings(HexKey, KeyTransform.Hex);
        await using BackedUpCluster source = await BackedUpCluster.RunAsync(key: key);
        await source.Cluster.ExecuteAsync("CREATE TABLE canary_table AS SELECT 'canary-content' AS v FROM generate_series(1, 1000)");
        // What plain cp has archived cannot be read with a key; a push would have encrypted it.
        BackupResult result = await source.BackUpAsync();

        BackupName.TryParse(result.Name, out BackupName? name);
        foreach (string path in Directory.EnumerateFiles(Path.Combine(source.RepositoryPath, "basebackups_005"), "*", SearchOption.AllDirectories))
        {
            byte[] content = File.ReadAllBytes(path);
            Assert.Equal(-1, content.AsSpan().IndexOf("canary"u8));
            Assert.Equal(-1, content.AsSpan().IndexOf((ReadOnlySpan<byte>)[0x28, 0xB5, 0x2F, 0xFD]));
        }
        await using Stream index = await source.Repository.OpenDecodedAsync(RepositoryLayout.IndexKey(name!));
        using var reader = new StreamReader(index);
        Assert.Contains("\"version\":1", await reader.ReadLineAsync(), StringComparison.Ordinal);
        BackupSentinel sentinel = await BackupDocuments.ReadSentinelAsync(source.Repository, RepositoryLayout.SentinelKey(name!));
        Assert.True(sentinel.PgBackup!.Encrypted);
    }

    [Fact]
    public async Task TheDocumentedRightsAreEnoughAndFewerAreNot()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        await source.Cluster.ExecuteAsync("CREATE ROLE backup LOGIN");
        BackupOptions options = source.Options with { Server = new ServerConnectionSettings { ConnectionString = source.Cluster.ConnectionString, UserName = "backup" } };
        Assert.Equal("InsufficientPrivilege", (await Assert.ThrowsAsync<PgBackupException>(() => source.BackUpAsync(options))).Id);

        await source.Cluster.ExecuteAsync(
            """
            GRANT pg_read_all_settings, pg_monitor TO backup;
            GRANT EXECUTE ON FUNCTION pg_backup_start(text, boolean), pg_backup_stop(boolean) TO backup;
            """);
        await source.BackUpAsync(options);
    }

    [Fact]
    public async Task ADirectoryOfAnotherClusterIsRefused()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        await using PostgresCluster other = await PostgresCluster.CreateAsync(new PostgresClusterOptions { FreshIdentity = true });
        PgBackupException wrong = await Assert.ThrowsAsync<PgBackupException>(() => source.BackUpAsync(source.Options with { DataDirectory = other.DataDirectory }));
        Assert.Equal("DataDirectoryOfAnotherCluster", wrong.Id);
        PgBackupException none = await Assert.ThrowsAsync<PgBackupException>(() => source.BackUpAsync(source.Options with { DataDirectory = "/nowhere/at/all" }));
        Assert.Equal("DataDirectoryNotFound", none.Id);
    }

    [Fact]
    public async Task AServerThatIsNotThereOrRefusesIsNamed()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        var gone = new ServerConnectionSettings { HostName = "127.0.0.1", Port = 1 };
        PgBackupException unreachable = await Assert.ThrowsAsync<PgBackupException>(() => source.BackUpAsync(source.Options with { Server = gone }));
        Assert.Equal(("ServerConnectionFailed", ExitCodes.ServerUnreachable), (unreachable.Id, unreachable.ExitCode));

        await File.WriteAllTextAsync(Path.Combine(source.Cluster.DataDirectory, "pg_hba.conf"), "host all all all scram-sha-256\nlocal all all trust\n");
        await source.Cluster.ExecuteAsync("CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 'correct'; SELECT pg_reload_conf()");
        var refused = new ServerConnectionSettings { ConnectionString = source.Cluster.ConnectionString, UserName = "guarded", Password = "canary-secret" };
        PgBackupException authentication = await Assert.ThrowsAsync<PgBackupException>(() => source.BackUpAsync(source.Options with { Server = refused }));
        Assert.Equal("AuthenticationFailed", authentication.Id);
        Assert.DoesNotContain("canary-secret", authentication.ToString(), StringComparison.Ordinal);
        await source.BackUpAsync(source.Options with { Server = refused with { Password = "correct" } });
    }

    /// <summary>A file whose name is not UTF-8: .NET can neither make nor remove it.</summary>
    private sealed class BadlyNamedFile(string folder) : IAsyncDisposable
    {
        public static async Task<BadlyNamedFile> CreateAsync(string folder)
        {
            (await ToolProcess.RunAsync(new("sh", ["-c", "touch \"$(printf '%s/bad\\377name' \"$0\")\"", folder]))).EnsureSuccess();
            return new BadlyNamedFile(folder);
        }

        public async ValueTask DisposeAsync() =>
            (await ToolProcess.RunAsync(new("sh", ["-c", "rm \"$0\"/bad*", folder]))).EnsureSuccess();
    }
}
