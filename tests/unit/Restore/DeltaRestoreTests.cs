using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Restore;
using PgBackup.Restore.Fetching;
using PgBackup.Restore.Planning;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Restore;

/// <summary>A data directory that is brought to its target in place: whatever has become of it, it is then what a fresh restore gives.</summary>
public sealed class DeltaRestoreTests
{
    [Fact]
    public async Task ADamagedDirectoryBecomesWhatAFreshRestoreGives()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        await lab.Cluster.ExecuteAsync("CREATE TABLE big AS SELECT g, repeat(md5(g::text), 8) v FROM generate_series(1, 40000) g");
        string space = await lab.Cluster.CreateTablespaceAsync("fast");
        await lab.Cluster.ExecuteAsync("CREATE TABLE s TABLESPACE fast AS SELECT g v FROM generate_series(1, 100000) g");
        string file = await lab.Cluster.ScalarAsync<string>("SELECT pg_relation_filepath('big')");
        await lab.BackupAsync();
        await lab.InsertAsync("A");
        await lab.ArchiveAsync();
        RestoreRequest fresh = lab.Request(RestoreTarget.Latest, lab.NewDestination("fresh")) with { TablespaceMapping = Mapping(space, lab, "fresh-space") };
        await lab.RestoreAsync(new RestoreOptions { Request = fresh });
        RestoreRequest request = lab.Request(RestoreTarget.Latest, lab.NewDestination("used")) with { TablespaceMapping = Mapping(space, lab, "used-space") };

        // It has run, promoted, and gone its own way.
        RestoreResult used = await lab.RestoreAsync(new RestoreOptions { Request = request, Start = true });
        foreach (string sql in new[] { "UPDATE big SET v = 'x' WHERE g % 5000 = 0", "CREATE TABLE mine AS SELECT * FROM big", "DROP TABLE t", "CREATE DATABASE other", "DELETE FROM s WHERE v > 10", "VACUUM s" })
            await RestoreLab.QueryAsync(used, sql);
        await lab.StopAsync(used.DataDirectory);
        string outside = lab.Folder.Combine("outside");
        Directory.CreateDirectory(outside);
        await File.WriteAllTextAsync(Path.Combine(outside, "precious"), "mine");
        Damage(used.DataDirectory, file, outside);

        RestoreRequest delta = request with { Delta = true, Force = true }; // What it wrote is archived nowhere.
        RestoreResult result = await lab.RestoreAsync(new RestoreOptions { Request = delta });
        Assert.Equal("mine", await File.ReadAllTextAsync(Path.Combine(outside, "precious")));
        Assert.Equal(1u, Posix.FactsOf(Path.Combine(outside, "second-name"))!.Value.Links);
        AssertSameTree(fresh.DataDirectory!, used.DataDirectory);
        AssertSameTree(lab.NewDestination("fresh-space"), lab.NewDestination("used-space"));
        Assert.True(result.KeptSize > 1_000_000, $"{result.KeptSize} kept");
        Assert.True(result.FetchedSize > 1_000_000, $"{result.FetchedSize} fetched");

        // Nothing is wrong any more but the recovery settings, which share a frame with other small files.
        RestoreResult again = await lab.RestoreAsync(new RestoreOptions { Request = delta, Start = true });
        Assert.True(again.FetchedSize < 5 << 20, $"{again.FetchedSize} fetched");
        Assert.True(again.KeptSize > 20 << 20, $"{again.KeptSize} kept");
        Assert.Equal("A", await RestoreLab.RowsAsync(again));
        Assert.Equal("40000 100000", await RestoreLab.QueryAsync(again, "SELECT (SELECT count(*) FROM big) || ' ' || (SELECT count(*) FROM s)"));
        await RestoreLab.QueryAsync(again, "CREATE EXTENSION amcheck");
        Assert.Equal("0", await RestoreLab.QueryAsync(again, "SELECT count(*) FROM verify_heapam('big')"));
    }

    [Fact]
    public async Task AChainIsFollowedInPlace()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        await lab.Cluster.ExecuteAsync("CREATE TABLE big AS SELECT g, repeat(md5(g::text), 8) v FROM generate_series(1, 60000) g");
        await lab.Cluster.ExecuteAsync("VACUUM big"); // Else the update below would write hints to every page.
        BackupResult full = await lab.BackupAsync();
        await lab.Cluster.ExecuteAsync("UPDATE big SET v = 'new' WHERE g BETWEEN 100 AND 200");
        BackupResult first = await lab.BackupAsync(BackupTypeRequest.Delta);
        await lab.Cluster.ExecuteAsync("UPDATE big SET v = 'newer' WHERE g BETWEEN 150 AND 250");
        await lab.InsertAsync("A");
        BackupResult second = await lab.BackupAsync(BackupTypeRequest.Delta);
        await lab.ArchiveAsync();
        RestoreRequest request = lab.Request(RestoreTarget.Latest, lab.NewDestination("used")) with { Name = second.Name };
        await lab.RestoreAsync(new RestoreOptions { Request = request with { DataDirectory = lab.NewDestination("fresh") } });
        await lab.RestoreAsync(new RestoreOptions { Request = request with { Name = full.Name } });
        foreach (string name in new[] { first.Name, full.Name, second.Name })
        {
            RestoreResult result = await lab.RestoreAsync(new RestoreOptions { Request = request with { Delta = true, Name = name } });
            // The pieces of the table that no delta has touched.
            Assert.True(result.KeptSize > 8 << 20, $"{result.KeptSize} kept, {result.FetchedSize} fetched for {name}");
        }
        AssertSameTree(lab.NewDestination("fresh"), lab.NewDestination("used"));
        RestoreResult started = await lab.RestoreAsync(new RestoreOptions { Request = request with { Delta = true }, Start = true });
        Assert.Equal("A", await RestoreLab.RowsAsync(started));
        Assert.Equal("50 101", await RestoreLab.QueryAsync(started, "SELECT count(*) FILTER (WHERE v = 'new') || ' ' || count(*) FILTER (WHERE v = 'newer') FROM big"));
    }

    [Fact]
    public async Task CutOffInBetweenItIsRunAgain()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        await lab.Cluster.ExecuteAsync("CREATE TABLE big AS SELECT repeat(md5(g::text), 30) v FROM generate_series(1, 20000) g");
        string file = await lab.Cluster.ScalarAsync<string>("SELECT pg_relation_filepath('big')");
        await lab.BackupAsync();
        await lab.InsertAsync("A");
        await lab.ArchiveAsync();
        await lab.RestoreAsync(new RestoreOptions { Request = lab.Request(RestoreTarget.Latest, lab.NewDestination("fresh")) });
        RestoreRequest request = lab.Request(RestoreTarget.Latest, lab.NewDestination("used")) with { Delta = true };
        await lab.RestoreAsync(new RestoreOptions { Request = request }); // Of an empty place it makes a new one.
        Damage(request.DataDirectory!, file, lab.Folder.Path);

        using var stop = new CancellationTokenSource();
        var stopper = new StopOnFiles(stop);
        PointInTimeRestore restore = await PointInTimeRestore.PrepareAsync(lab.Repository, new RestoreOptions { Request = request, ThrottleLimit = 1 }, progress: stopper);
        stopper.IsArmed = true;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => restore.RunAsync(stop.Token));
        Assert.True(File.Exists(Path.Combine(request.DataDirectory!, RestoreDestination.MarkerName)));
        Assert.False(File.Exists(Path.Combine(request.DataDirectory!, "global", "pg_control")));
        Assert.Contains("-Delta", await File.ReadAllTextAsync(Path.Combine(request.DataDirectory!, RestoreDestination.MarkerName)), StringComparison.Ordinal);

        await lab.RestoreAsync(new RestoreOptions { Request = request });
        AssertSameTree(lab.NewDestination("fresh"), request.DataDirectory!);
        RestoreResult started = await lab.RestoreAsync(new RestoreOptions { Request = request, Start = true });
        Assert.Equal("A", await RestoreLab.RowsAsync(started));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ARunningServerIsStoppedAndGoesOnFromItsTarget(bool separateConfiguration)
    {
        await using RestoreLab lab = await RestoreLab.StartAsync(new PostgresClusterOptions { SeparateConfiguration = separateConfiguration });
        await lab.BackupAsync();
        DateTimeOffset time = await lab.InsertAsync("A");
        await lab.Cluster.ExecuteAsync("DROP TABLE t");
        await lab.ArchiveAsync();
        RestoreRequest request = lab.Request(RestoreTarget.AtTime(time), lab.Cluster.DataDirectory) with { Delta = true };
        await RefusedAsync(() => lab.RestoreAsync(new RestoreOptions { Request = request }), "DestinationInUse");
        RestoreResult result = await lab.RestoreAsync(new RestoreOptions { Request = request with { StopServer = true } });
        Assert.Equal(RestoreStatus.Promoted, result.Status);
        Assert.Null(result.PreviousDataDirectory);
        Assert.True(result.KeptSize > result.FetchedSize);
        Assert.Equal("A", await lab.Cluster.ScalarAsync<string>("SELECT string_agg(v, ',') FROM t"));
        Assert.StartsWith(lab.Cluster.ConfigurationDirectory, await lab.Cluster.ScalarAsync<string>("SHOW config_file"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WalThatIsNowhereElseIsNotThrownAway()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        await lab.BackupAsync();
        await lab.InsertAsync("A");
        await lab.ArchiveAsync();
        await lab.Cluster.ExecuteAsync("ALTER SYSTEM SET archive_command = 'false'");
        await lab.Cluster.ExecuteAsync("SELECT pg_reload_conf()");
        await lab.InsertAsync("only here");
        string segment = await lab.Cluster.ScalarAsync<string>(RestoreLab.SwitchOf(lab.Cluster));
        await lab.Cluster.StopAsync();
        RestoreRequest request = lab.Request(RestoreTarget.Latest, lab.Cluster.DataDirectory) with { Delta = true };
        PgBackupException error = await RefusedAsync(() => lab.RestoreAsync(new RestoreOptions { Request = request }), "WalNotArchived");
        Assert.Contains(segment, error.Message, StringComparison.Ordinal);
        Assert.Contains("Push-PgWal", error.Hint, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(lab.Cluster.DataDirectory, "global", "pg_control")));
        RestoreResult result = await lab.RestoreAsync(new RestoreOptions { Request = request with { Force = true }, Start = true });
        Assert.Equal("A", await RestoreLab.RowsAsync(result));
    }

    [Fact]
    public async Task AnotherClusterIsLeftAlone()
    {
        WalgFixture fixture = WalgFixture.Named("lz4");
        await using RestoreLab lab = RestoreLab.Without(fixture.Open());
        await using PostgresCluster other = await PostgresCluster.CreateAsync();
        RestoreRequest request = lab.Request(RestoreTarget.Immediate, other.DataDirectory) with { RestoreCommand = "false", Delta = true };
        PgBackupException foreign = await RefusedAsync(() => lab.RestoreAsync(new RestoreOptions { Request = request }), "DestinationNotReplaceable");
        Assert.Contains("another cluster", foreign.Message, StringComparison.Ordinal);
        await other.StartAsync();
    }

    [Fact]
    public async Task WithoutAnIndexAllOfItIsFetchedAndItIsSaid()
    {
        WalgFixture fixture = WalgFixture.Named("lz4");
        await using RestoreLab lab = RestoreLab.Without(fixture.Open());
        await lab.DecodeWalAsync();
        RestoreRequest request = lab.Request(RestoreTarget.Latest, lab.NewDestination("used")) with { Name = fixture.Backups[2] };
        await lab.RestoreAsync(new RestoreOptions { Request = request with { DataDirectory = lab.NewDestination("fresh") } });
        await lab.RestoreAsync(new RestoreOptions { Request = request with { Name = fixture.Backups[0] } });
        RestoreResult result = await lab.RestoreAsync(new RestoreOptions { Request = request with { Delta = true } });
        Assert.Equal(0, result.KeptSize.Bytes);
        Assert.Equal(3, result.Warnings.Count(w => w.Contains("has no index", StringComparison.Ordinal)));
        AssertSameTree(lab.NewDestination("fresh"), lab.NewDestination("used"));
    }

    private static void Damage(string dataDirectory, string file, string outside)
    {
        string path = Path.Combine(dataDirectory, file);
        using (FileStream pages = File.OpenWrite(path))
        {
            pages.Position = 8192 * 3;
            pages.Write(new byte[100]);
            pages.Position = pages.Length + 8192; // Beyond its end.
            pages.WriteByte(1);
        }
        string catalog = Directory.GetFiles(Path.Combine(dataDirectory, "base", "1")).Where(f => new FileInfo(f).Length >= 16384).Order(StringComparer.Ordinal).First();
        using (FileStream cut = File.OpenWrite(catalog))
            cut.SetLength(8192);
        File.Delete(Path.Combine(dataDirectory, "PG_VERSION"));
        File.WriteAllText(Path.Combine(dataDirectory, "base", "foreign"), "x");
        Directory.CreateDirectory(Path.Combine(dataDirectory, "strange", "folder"));
        File.CreateSymbolicLink(Path.Combine(dataDirectory, "strange", "folder", "link"), outside);
        File.CreateSymbolicLink(Path.Combine(dataDirectory, "base", "link"), outside);
        // Files that became a link, have a second name elsewhere, or other permissions.
        Assert.True(Posix.TryLink(Path.Combine(dataDirectory, "postgresql.conf"), Path.Combine(outside, "second-name")));
        File.Delete(Path.Combine(dataDirectory, "pg_hba.conf"));
        File.CreateSymbolicLink(Path.Combine(dataDirectory, "pg_hba.conf"), Path.Combine(outside, "precious"));
        File.SetUnixFileMode(Path.Combine(dataDirectory, "pg_ident.conf"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
    }

    private static Dictionary<string, string> Mapping(string space, RestoreLab lab, string target) => new() { [space] = lab.NewDestination(target) };

    private static void AssertSameTree(string expected, string actual)
    {
        static Dictionary<string, (UnixFileMode Mode, string Content)> Read(string root) => new DirectoryInfo(root)
            .EnumerateFileSystemInfos("*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 })
            .Where(f => f.Name is not ("postgresql.auto.conf" or "tablespace_map" or "postmaster.opts") && !Path.GetRelativePath(root, f.FullName).StartsWith("pg_tblspc/", StringComparison.Ordinal))
            .ToDictionary(
                f => Path.GetRelativePath(root, f.FullName),
                f => (f.UnixFileMode, f is FileInfo file ? $"{file.LastWriteTimeUtc.Ticks} " + Convert.ToHexString(System.IO.Hashing.XxHash128.Hash(File.ReadAllBytes(file.FullName))) : "folder"),
                StringComparer.Ordinal);
        Dictionary<string, (UnixFileMode Mode, string Content)> one = Read(expected), other = Read(actual);
        Assert.Equal(one.Keys.Order(StringComparer.Ordinal), other.Keys.Order(StringComparer.Ordinal));
        foreach ((string name, (UnixFileMode Mode, string Content) facts) in one.Where(f => f.Key is not "recovery.signal"))
            Assert.True(facts == other[name], $"{name}: {facts} and {other[name]}");
    }

    private static async Task<PgBackupException> RefusedAsync(Func<Task> action, string id)
    {
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(action);
        Assert.Equal(id, error.Id);
        return error;
    }

    private sealed class StopOnFiles(CancellationTokenSource stop) : IProgress<OperationProgress>
    {
        public bool IsArmed { get; set; }

        public void Report(OperationProgress value)
        {
            if (IsArmed && value.Phase == "Restoring files")
                stop.Cancel();
        }
    }
}
