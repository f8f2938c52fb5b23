using System.Diagnostics;
using System.IO.Hashing;
using System.Globalization;
using System.Text;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Logical.Dump;
using PgBackup.Postgres.Server;
using PgBackup.Repository;
using PgBackup.Repository.Dumps;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using Xunit;

namespace PgBackup.Tests.Logical.Dump;

/// <summary>Whatever goes wrong: one clear error, nothing published, nothing left behind, pg_dump gone.</summary>
public sealed class DumpFaultTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private PostgresCluster _cluster = null!;
    private BackupRepository _repository = null!;

    public async Task InitializeAsync()
    {
        _cluster = await PostgresCluster.RunAsync();
        await _cluster.ExecuteAsync("CREATE DATABASE big");
        await _cluster.ExecuteAsync("CREATE TABLE t AS SELECT g, repeat(md5(g::text), 12) AS v FROM generate_series(1, 150000) g; CREATE TABLE u(x int)", "big");
        await _cluster.ExecuteAsync("CREATE ROLE reader LOGIN PASSWORD 'p:a\\ss'");
        string rules = Path.Combine(_cluster.DataDirectory, "pg_hba.conf");
        await File.WriteAllTextAsync(rules, "host all reader 127.0.0.1/32 scram-sha-256\n" + await File.ReadAllTextAsync(rules));
        await _cluster.ExecuteAsync("SELECT pg_reload_conf()");
        _repository = new BackupRepository(new DirectoryStore(_folder.Combine("repository")), null);
    }

    public async Task DisposeAsync()
    {
        await _cluster.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task AWrongPasswordIsToldAsSuch()
    {
        PgBackupException error = await FailsAsync(Options("big", "reader", "wrong-password"));
        Assert.Equal(("AuthenticationFailed", ExitCodes.ServerUnreachable), (error.Id, error.ExitCode));
        Assert.DoesNotContain("wrong-password", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheRightPasswordGoesByNoCommandLine()
    {
        await _cluster.ExecuteAsync("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", "big");
        string commandLine = "";
        DatabaseBackup backup = await DatabaseDumpJob.RunAsync(_repository, Options("big", "reader", "p:a\\ss"), OperationLog.None, new Once(() =>
        {
            int process = DumpProcesses().Single();
            commandLine = File.ReadAllText($"/proc/{process}/cmdline");
        }));
        Assert.Equal(BackupStatus.Complete, backup.Status);
        Assert.Contains("--no-password", commandLine, StringComparison.Ordinal);
        Assert.DoesNotContain("p:a", commandLine, StringComparison.Ordinal);
        byte[] manifest = (await _repository.Store.TryReadAllAsync(DumpLayout.ManifestKey(backup.Name)))!;
        Assert.DoesNotContain("p:a", Encoding.UTF8.GetString(manifest), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AMissingDatabaseIsToldAsSuch()
    {
        PgBackupException error = await FailsAsync(Options("absent"));
        Assert.Equal(("DatabaseNotFound", ExitCodes.NothingFound), (error.Id, error.ExitCode));
    }

    [Theory]
    [InlineData(DumpFormat.Custom)]
    [InlineData(DumpFormat.Directory)]
    public async Task AMissingRightNamesTheTable(DumpFormat format)
    {
        PgBackupException error = await FailsAsync(Options("big", "reader", "p:a\\ss") with { Format = format });
        Assert.Equal("InsufficientPrivilege", error.Id);
        Assert.Contains("table t", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AMissingRightToConnectIsToldAsSuch()
    {
        await _cluster.ExecuteAsync("REVOKE CONNECT ON DATABASE big FROM PUBLIC");
        Assert.Equal("InsufficientPrivilege", (await FailsAsync(Options("big", "reader", "p:a\\ss"))).Id);
    }

    [Fact]
    public async Task AServerThatIsNotThereIsToldAsSuch()
    {
        DumpOptions options = Options("big");
        Assert.Equal("ServerConnectionFailed", (await FailsAsync(options with { Server = options.Server with { Port = 1 } })).Id);
    }

    [Fact]
    public async Task APatternThatMatchesNothingIsToldAsSuch()
    {
        Assert.Equal("NothingToDump", (await FailsAsync(Options("big") with { Tables = ["absent"] })).Id);
        Assert.Equal("DumpOptionsInvalid", (await FailsAsync(Options("big") with { SchemaOnly = true, DataOnly = true })).Id);
        Assert.Equal("ServerQueryFailed", (await FailsAsync(Options("big") with { Tables = ["a("] })).Id);
    }

    [Theory]
    [InlineData(DumpFormat.Custom)]
    [InlineData(DumpFormat.Plain)]
    [InlineData(DumpFormat.Directory)]
    public async Task AKilledPgDumpLeavesNothing(DumpFormat format)
    {
        DumpOptions options = Options("big") with { Format = format, ThrottleLimit = 2 };
        PgBackupException error = await FailsAsync(options, new Once(() =>
        {
            foreach (int process in DumpProcesses())
                Process.GetProcessById(process).Kill();
        }));
        Assert.Equal("DumpFailed", error.Id);
        Assert.Contains("signal 9", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(DumpFormat.Custom)]
    [InlineData(DumpFormat.Directory)]
    public async Task AStopEndsPgDump(DumpFormat format)
    {
        using var stop = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => DatabaseDumpJob.RunAsync(
            _repository, Options("big") with { Format = format, ThrottleLimit = 2 }, OperationLog.None, new Once(stop.Cancel), stop.Token));
        await NothingIsLeftAsync();
    }

    [Fact]
    public async Task AStopEndsAPgDumpThatWaits()
    {
        using var stop = new CancellationTokenSource();
        await using var holder = new Npgsql.NpgsqlConnection(_cluster.ConnectionStringFor("big"));
        await holder.OpenAsync();
        await using (var command = new Npgsql.NpgsqlCommand("BEGIN; LOCK TABLE pg_catalog.pg_event_trigger IN ACCESS EXCLUSIVE MODE", holder))
            await command.ExecuteNonQueryAsync();
        Task<DatabaseBackup> running = DatabaseDumpJob.RunAsync(_repository, Options("big"), OperationLog.None, NoProgress.Instance, stop.Token);
        await Task.Delay(1500);
        Assert.False(running.IsCompleted);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running.WaitAsync(TimeSpan.FromSeconds(20)));
        await NothingIsLeftAsync();
    }

    [Fact]
    public async Task AServerThatGoesDownIsToldAsSuch()
    {
        PgBackupException error = await FailsAsync(Options("big"), new Once(() => _cluster.Kill9Async().GetAwaiter().GetResult()));
        Assert.Equal(("ServerConnectionLost", ExitCodes.ServerUnreachable), (error.Id, error.ExitCode));
        await _cluster.StartAsync();
    }

    [Theory]
    [InlineData(DumpFormat.Custom)]
    [InlineData(DumpFormat.Directory)]
    public async Task AFullStoreEndsPgDump(DumpFormat format)
    {
        await using SmallDisk disk = await SmallDisk.MountAsync(8);
        var repository = new BackupRepository(new DirectoryStore(Path.Combine(disk.Path, "repository")), null, CompressionMethod.None);
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(
            () => DatabaseDumpJob.RunAsync(repository, Options("big") with { Format = format }, OperationLog.None, NoProgress.Instance));
        Assert.Equal("StorageWriteFailed", error.Id);
        Assert.Empty(DumpProcesses());
        Assert.DoesNotContain(Directory.EnumerateFiles(disk.Path, "*", SearchOption.AllDirectories), file => file.Contains("dumps", StringComparison.Ordinal));
    }

    [Fact]
    public async Task FilesAppearWholeAndAreNotReplacedUnasked()
    {
        string path = _folder.Combine("big.sql.gz");
        await File.WriteAllTextAsync(path, "kept");
        DumpOptions options = Options("big") with { Format = DumpFormat.Plain };
        Assert.Equal("DumpFileExists", (await FileFailsAsync(options, path, overwrite: false)).Id);
        Assert.Equal("DumpFailed", (await FileFailsAsync(options, path, overwrite: true, new Once(() => DumpProcesses().ForEach(process => Process.GetProcessById(process).Kill())))).Id);
        Assert.Equal("kept", await File.ReadAllTextAsync(path));
        DumpFileResult written = await DatabaseDumpJob.RunToFileAsync(options, path, overwrite: true, OperationLog.None, NoProgress.Instance);
        Assert.Equal(new FileInfo(path).Length, written.Size.Bytes);
        string plain = _folder.Combine("big.sql");
        (await ToolProcess.RunAsync(new ProcessStartInfo("/bin/sh", ["-c", $"gzip -dc '{path}' > '{plain}'"]))).EnsureSuccess();
        Assert.Equal(written.Hash, Convert.ToHexStringLower(XxHash128.Hash(await File.ReadAllBytesAsync(plain))));
        await using SmallDisk disk = await SmallDisk.MountAsync(4);
        Assert.Equal("DumpFileFailed", (await FileFailsAsync(options, Path.Combine(disk.Path, "big.sql"), overwrite: false)).Id);
        Assert.Empty(Directory.EnumerateFileSystemEntries(disk.Path));
        Assert.Equal("DumpFolderMissing", (await FileFailsAsync(options, _folder.Combine("absent/big.sql"), overwrite: false)).Id);
        Assert.Equal("DumpOptionsInvalid", (await FileFailsAsync(options with { Format = DumpFormat.Custom }, path, overwrite: true)).Id);
    }

    [Theory]
    [InlineData("x.sql", DumpFormat.Plain)]
    [InlineData("x.sql.zst", DumpFormat.Plain)]
    [InlineData("x.sql.lz4", DumpFormat.Plain)]
    [InlineData("x.tar", DumpFormat.Tar)]
    [InlineData("x.dump", DumpFormat.Custom)]
    [InlineData("x", DumpFormat.Directory)]
    public async Task FilesOfEveryFormRestore(string name, DumpFormat format)
    {
        await _cluster.ExecuteAsync("DROP TABLE t; CREATE TABLE small AS SELECT g FROM generate_series(1, 100) g", "big");
        string path = _folder.Combine(name);
        DumpFileResult written = await DatabaseDumpJob.RunToFileAsync(Options("big") with { Format = format, ThrottleLimit = 2 }, path, false, OperationLog.None, NoProgress.Instance);
        Assert.Equal((path, format, 2), (written.Path, written.Format, written.TableCount));
        string readable = _folder.Combine("readable");
        if (format == DumpFormat.Directory)
        {
            Directory.Move(path, readable);
            File.SetUnixFileMode(readable, (UnixFileMode)0b111_101_101);
            foreach (string file in Directory.EnumerateFiles(readable))
                File.SetUnixFileMode(file, (UnixFileMode)0b110_100_100);
        }
        else
        {
            CompressionNames.TrySplit(name, out _, out CompressionMethod method);
            await using Stream content = StreamDecoder.Open(File.OpenRead(path), method);
            await using FileStream target = File.Create(readable);
            await content.CopyToAsync(target);
        }
        await _cluster.ExecuteAsync("CREATE DATABASE restored");
        if (format == DumpFormat.Plain)
            await _cluster.RunToolAsync("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "restored", "-f", readable);
        else
            await _cluster.RunToolAsync("pg_restore", "--exit-on-error", "--dbname", "restored", readable);
        Assert.Equal(5050L, await _cluster.ScalarAsync<long>("SELECT sum(g) FROM small", "restored"));
    }

    private DumpOptions Options(string database, string user = "postgres", string? password = null) => new()
    {
        Server = new ServerConnectionSettings { HostName = "127.0.0.1", Port = _cluster.Port, UserName = user, Password = password },
        Database = database,
    };

    private async Task<PgBackupException> FailsAsync(DumpOptions options, IProgress<OperationProgress>? progress = null)
    {
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(
            () => DatabaseDumpJob.RunAsync(_repository, options, OperationLog.None, progress ?? NoProgress.Instance));
        await NothingIsLeftAsync();
        return error;
    }

    private static Task<PgBackupException> FileFailsAsync(DumpOptions options, string path, bool overwrite, IProgress<OperationProgress>? progress = null) =>
        Assert.ThrowsAsync<PgBackupException>(() => DatabaseDumpJob.RunToFileAsync(options, path, overwrite, OperationLog.None, progress ?? NoProgress.Instance));

    private async Task NothingIsLeftAsync()
    {
        Assert.Empty(DumpProcesses());
        if (!Directory.Exists(_folder.Combine("repository")))
            return;
        await foreach (StoredObject item in _repository.Store.ListAsync(DumpLayout.Folder, recursive: true))
            Assert.Fail($"{item.Key} was left.");
        Assert.Equal(0, await _repository.Store.RemoveUnfinishedAsync(DumpLayout.Folder));
    }

    // By their environment: other tests dump from other servers meanwhile.
    private List<int> DumpProcesses()
    {
        var found = new List<int>();
        foreach (Process process in Process.GetProcessesByName("pg_dump"))
        {
            using (process)
            {
                try
                {
                    if (File.ReadAllText($"/proc/{process.Id}/environ").Split('\0').Contains(string.Create(CultureInfo.InvariantCulture, $"PGPORT={_cluster.Port}")))
                        found.Add(process.Id);
                }
                catch (IOException)
                {
                    // It ended in between.
                }
            }
        }
        return found;
    }

    /// <summary>Does something in the middle: when the first table has begun to come, or where nothing comes here the first is told of.</summary>
    private sealed class Once(Action act) : IProgress<OperationProgress>
    {
        private int _done;

        public void Report(OperationProgress value)
        {
            if ((value.Done > 1 << 20 || value.Phase.StartsWith("Table ", StringComparison.Ordinal)) && Interlocked.Exchange(ref _done, 1) == 0)
                act();
        }
    }
}
