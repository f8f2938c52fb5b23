using System.Diagnostics;
using System.IO.Hashing;
using System.Security.Cryptography;
using PgBackup.Errors;
using PgBackup.Logical.Load;
using PgBackup.Repository;
using PgBackup.Repository.Dumps;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Logical.Load;

/// <summary>What goes wrong is told, with its object, and nothing half done is taken for done.</summary>
public sealed class FailureTests(LoadLab lab) : IClassFixture<LoadLab>
{
    // Random text: an object of some megabytes after compression, that a pipe does not hold.
    private const string Big = "CREATE TABLE big (a int, b text); INSERT INTO big SELECT g, (SELECT string_agg(md5(g || '.' || i), '') FROM generate_series(1, 20) i) FROM generate_series(1, 20000) g; CREATE INDEX ON big (a)";

    [Fact]
    public async Task ADatabaseThatHoldsSomethingIsRefused_ButNotForAnExtension()
    {
        string source = await lab.CreateAsync("src1", "CREATE TABLE t (a int)"), path = await lab.DumpAsync(source, "c");
        string[] contents = ["CREATE TABLE other (a int)", "CREATE TYPE m AS ENUM ()", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE SCHEMA s", "SELECT lo_create(5)", "CREATE VIEW v AS SELECT 1 AS a"];
        for (int i = 0; i < contents.Length; i++)
        {
            await lab.CreateAsync($"full_{i}", contents[i]);
            PgBackupException error = await FailAsync(path, lab.Into($"full_{i}"));
            Assert.Equal("TargetNotEmpty", error.Id);
            Assert.False(await lab.Cluster.ScalarAsync<bool>("SELECT to_regclass('t') IS NOT NULL", $"full_{i}"));
        }
        await lab.CreateAsync("full_x", "CREATE EXTENSION hstore");
        Assert.Empty((await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(path), lab.Into("full_x"))).Errors);
        Assert.Empty((await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(path), lab.Into("full_0") with { AllowNonEmpty = true })).Errors);
        Assert.True(await lab.Cluster.ScalarAsync<bool>("SELECT to_regclass('t') IS NOT NULL AND to_regclass('other') IS NOT NULL", "full_0"));
    }

    [Theory]
    [InlineData("c", 1)]
    [InlineData("c", 2)]
    [InlineData("d", 2)]
    public async Task EachObjectThatIsNotRestoredIsAnError_AndTheResultIsPartial(string format, int jobs)
    {
        string source = $"part_{format}{jobs}", target = $"{source} x";
        await lab.CreateAsync(source, "CREATE SCHEMA app; CREATE TABLE app.a (id int PRIMARY KEY, secret text); CREATE TABLE app.b (id int); INSERT INTO app.a VALUES (1, 'canary'); INSERT INTO app.b VALUES (7)");
        await lab.CreateAsync(target, "CREATE SCHEMA app; CREATE TABLE app.a (id int PRIMARY KEY, secret text); INSERT INTO app.a VALUES (1, 'mine')");
        (DatabaseRestoreResult result, List<PgBackupException> errors) = await LoadLab.RestoreAsync(
            await DumpSource.FromPathAsync(await lab.DumpAsync(source, format)), lab.Into(target) with { AllowNonEmpty = true, ThrottleLimit = jobs });
        Assert.Equal(DatabaseRestoreStatus.Partial, result.Status);
        Assert.Equal(errors.Count, result.ErrorCount);
        Assert.Contains(new DatabaseObject("TABLE", "app", "a"), errors.Select(e => e.ErrorTarget));
        Assert.Contains(new DatabaseObject("TABLE DATA", "app", "a"), errors.Select(e => e.ErrorTarget));
        Assert.All(errors, e => Assert.Equal(("ObjectNotRestored", ExitCodes.Partial), (e.Id, e.ExitCode)));
        Assert.DoesNotContain(errors, e => e.Message.Contains("canary", StringComparison.Ordinal) || e.Message.Contains("CREATE TABLE", StringComparison.Ordinal));
        Assert.Contains(errors, e => e.Message.Contains("Key (id)=(1) already exists.", StringComparison.Ordinal));
        Assert.Equal(7, await lab.Cluster.ScalarAsync<int>("SELECT id FROM app.b", target));
    }

    [Fact]
    public async Task ManyErrorsAreCounted_AndTheFirstHundredTold()
    {
        string sql = string.Concat(Enumerable.Range(0, 150).Select(i => $"CREATE TABLE t{i} (a int);"));
        await lab.CreateAsync("many", sql);
        await lab.CreateAsync("many 2", sql);
        (DatabaseRestoreResult result, List<PgBackupException> errors) = await LoadLab.RestoreAsync(
            await DumpSource.FromPathAsync(await lab.DumpAsync("many", "c")), lab.Into("many 2") with { AllowNonEmpty = true, ThrottleLimit = 1 });
        Assert.Equal((150, FailureCollector.Told), (result.ErrorCount, errors.Count));
    }

    [Fact]
    public async Task AScriptStopsAtItsFirstError_WhichNamesTheObject()
    {
        await lab.CreateAsync("script", "CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE TABLE c (id int)");
        string path = await lab.DumpAsync("script", "p");
        await lab.CreateAsync("script 2", "CREATE TABLE b (id int)");
        (DatabaseRestoreResult result, List<PgBackupException> errors) = await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(path), lab.Into("script 2") with { AllowNonEmpty = true });
        Assert.Equal((DatabaseRestoreStatus.Partial, 1), (result.Status, result.ErrorCount));
        Assert.Equal(new DatabaseObject("TABLE", "public", "b"), Assert.Single(errors).ErrorTarget);
        Assert.True(await lab.Cluster.ScalarAsync<bool>("SELECT to_regclass('a') IS NOT NULL AND to_regclass('c') IS NULL", "script 2"));
        // In one transaction nothing stays, and it is no partial success.
        await lab.CreateAsync("script 3", "CREATE TABLE b (id int)");
        Assert.Equal("DatabaseRestoreFailed", (await FailAsync(path, lab.Into("script 3") with { AllowNonEmpty = true, SingleTransaction = true })).Id);
        Assert.True(await lab.Cluster.ScalarAsync<bool>("SELECT to_regclass('a') IS NULL", "script 3"));
    }

    [Fact]
    public async Task OneTransactionThatFailsLeavesNothing_NotEvenTheDatabaseItMade()
    {
        await lab.Cluster.ExecuteAsync("CREATE ROLE gone");
        await lab.CreateAsync("single", "CREATE TABLE a (id int); CREATE TABLE b (id int); ALTER TABLE b OWNER TO gone");
        string path = await lab.DumpAsync("single", "c");
        await lab.Cluster.ExecuteAsync("ALTER TABLE b OWNER TO postgres; DROP ROLE gone", "single");
        var log = new LinesLog();
        var error = await Assert.ThrowsAsync<PgBackupException>(async () =>
            await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(path), lab.Into("single 2") with { SingleTransaction = true }, log: log));
        Assert.Equal("DatabaseRestoreFailed", error.Id);
        Assert.Contains("role \"gone\" does not exist", error.Message, StringComparison.Ordinal);
        Assert.False(await lab.HasDatabaseAsync("single 2"));
        Assert.Contains(log.Lines, line => line.Contains("was dropped again", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("c", DumpFormat.Custom, false)]
    [InlineData("c", DumpFormat.Custom, true)]
    [InlineData("p", DumpFormat.Plain, true)]
    [InlineData("t", DumpFormat.Tar, true)]
    public async Task ADumpWithAnotherChecksumNeverComesToItsEnd(string format, DumpFormat form, bool single)
    {
        string source = $"sum_{format}{single}", target = $"{source} x";
        await lab.CreateAsync(source, Big);
        BackupRepository repository = lab.NewRepository();
        string name = await LoadLab.StoreAsync(repository, await lab.DumpAsync(source, format), form, source);
        await ReplaceManifestAsync(repository, name, item => item with { Hash = Convert.ToHexStringLower(XxHash128.Hash("other"u8)) });
        var error = await Assert.ThrowsAsync<PgBackupException>(async () =>
            await LoadLab.RestoreAsync(await DumpSource.FromRepositoryAsync(repository, name), lab.Into(target) with { SingleTransaction = single }));
        Assert.Equal(("RestoreInputBroken", ExitCodes.VerificationFailed), (error.Id, error.ExitCode));
        Assert.Equal(!single, await lab.HasDatabaseAsync(target));
        if (!single) // The table was made, but its rows and its index were not.
            Assert.Equal("0:0", await lab.Cluster.ScalarAsync<string>("SELECT (SELECT count(*) FROM big) || ':' || (SELECT count(*) FROM pg_indexes WHERE tablename = 'big')", target));
    }

    [Theory]
    [InlineData(DumpFormat.Custom, "c", 1)]
    [InlineData(DumpFormat.Custom, "c", 2)]
    [InlineData(DumpFormat.Directory, "d", 2)]
    public async Task DamageInTheStoreIsTold(DumpFormat form, string format, int jobs)
    {
        string source = $"dmg_{format}{jobs}";
        await lab.CreateAsync(source, Big);
        BackupRepository repository = lab.NewRepository();
        string name = await LoadLab.StoreAsync(repository, await lab.DumpAsync(source, format), form, source);
        string file = Directory.GetFiles(repository.Location, "*.zst", SearchOption.AllDirectories).MaxBy(f => new FileInfo(f).Length)!;
        byte[] content = await File.ReadAllBytesAsync(file);
        await File.WriteAllBytesAsync(file, content[..(content.Length * 2 / 3)]);
        string scratch = Directory.CreateDirectory(lab.NewPath()).FullName;
        var error = await Assert.ThrowsAsync<PgBackupException>(async () =>
            await LoadLab.RestoreAsync(await DumpSource.FromRepositoryAsync(repository, name), lab.Into($"{source} x") with { ThrottleLimit = jobs, ScratchFolder = scratch }));
        Assert.Equal(ExitCodes.VerificationFailed, error.ExitCode);
        Assert.Equal(jobs == 1 ? "RestoreInputBroken" : "ObjectDamaged", error.Id);
        Assert.Empty(Directory.GetFileSystemEntries(scratch));
    }

    [Fact]
    public async Task ADumpCutShortIsNoDump()
    {
        await lab.CreateAsync("cut", Big);
        string path = await lab.DumpAsync("cut", "c");
        byte[] content = await File.ReadAllBytesAsync(path);
        foreach (int length in new[] { 30, 500, content.Length / 2 })
        {
            await File.WriteAllBytesAsync(path, content[..length]);
            PgBackupException error = await FailAsync(path, lab.Into("cut 2") with { ThrottleLimit = 1, SingleTransaction = true });
            Assert.Contains(error.Id, new[] { "DumpNotReadable", "DatabaseRestoreFailed" });
            Assert.False(await lab.HasDatabaseAsync("cut 2"));
        }
        string empty = lab.NewPath(".sql"), wide = lab.NewPath(".sql"), binary = lab.NewPath(".dump");
        await File.WriteAllTextAsync(empty, "");
        await File.WriteAllTextAsync(wide, "SELECT 1;", System.Text.Encoding.Unicode);
        await File.WriteAllBytesAsync(binary, RandomNumberGenerator.GetBytes(100).Append((byte)0).ToArray());
        foreach (string bad in new[] { empty, wide, binary, lab.NewPath() })
            Assert.Contains((await FailAsync(bad, lab.Into("cut 2"))).Id, new[] { "DumpNotReadable", "DumpNotFound" });
    }

    [Theory]
    [InlineData("p")]
    [InlineData("c")]
    public async Task StoppingEndsTheProgram_AndADatabaseWithNothingInItIsDropped(string format)
    {
        string source = $"stop_{format}", target = $"{source} x";
        await lab.CreateAsync(source, "CREATE FUNCTION slow() RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN 1; END'; CREATE TABLE t (a int)");
        await lab.Cluster.ExecuteAsync("INSERT INTO t VALUES (1); ALTER TABLE t ADD COLUMN b int; CREATE MATERIALIZED VIEW m AS SELECT slow() AS a FROM t WITH NO DATA; CREATE INDEX ON t ((a + 1))", source);
        string path = await lab.DumpAsync(source, format);
        // The dump's own materialized view takes a minute to fill.
        if (format == "p")
            await File.AppendAllTextAsync(path, "\nSELECT pg_sleep(60);\n");
        else
            await lab.Cluster.ExecuteAsync("CREATE OR REPLACE FUNCTION slow() RETURNS int LANGUAGE sql AS 'SELECT 1'; REFRESH MATERIALIZED VIEW m; CREATE OR REPLACE FUNCTION slow() RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN 1; END'", source);
        if (format == "c")
            path = await lab.DumpAsync(source, format);
        using var stop = new CancellationTokenSource();
        var log = new LinesLog();
        long begin = Stopwatch.GetTimestamp();
        Task run = Task.Run(async () => await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(path), lab.Into(target) with { SingleTransaction = true }, stop.Token, log));
        while (!await lab.Cluster.ScalarAsync<bool>($"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = '{target}' AND wait_event = 'PgSleep')"))
        {
            Assert.False(run.IsCompleted, "It ended before it was stopped.");
            await Task.Delay(50);
        }
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        Assert.InRange(Stopwatch.GetElapsedTime(begin).TotalSeconds, 0, 45);
        Assert.Single(log.Lines, line => line.Contains($"The database '{target}', created for this restore,", StringComparison.Ordinal));
        // pg_restore cancels its statement; psql leaves the server to find out that it is gone.
        if (format == "c")
            Assert.False(await lab.HasDatabaseAsync(target));
    }

    [Fact]
    public async Task WhatConnectsElsewhereIsRefused()
    {
        await lab.CreateAsync("else", "CREATE TABLE t (a int)");
        string path = await lab.DumpAsync("else", "p", "--create");
        PgBackupException error = await FailAsync(path, lab.Into("else 2"));
        Assert.Equal("RestoreInputBroken", error.Id);
        Assert.Equal("ScriptConnectsElsewhere", Assert.IsType<PgBackupException>(error.InnerException).Id);
        Assert.False(await lab.HasDatabaseAsync("else 2"));
    }

    [Fact]
    public async Task OptionsThatAScriptCannotDoAreRefused()
    {
        await lab.CreateAsync("opts", "CREATE TABLE t (a int)");
        string script = await lab.DumpAsync("opts", "p"), archive = await lab.DumpAsync("opts", "c");
        LoadOptions into = lab.Into("opts 2");
        LoadOptions[] bad = [into with { Clean = true }, into with { Tables = ["t"] }, into with { Schemas = ["public"] }, into with { SchemaOnly = true }, into with { DataOnly = true }, into with { NoOwner = true }, into with { NoPrivilege = true }, into with { ThrottleLimit = 2 }];
        foreach (LoadOptions options in bad)
            Assert.Equal("RestoreOptionsInvalid", (await FailAsync(script, options)).Id);
        LoadOptions[] contrary = [into with { SchemaOnly = true, DataOnly = true }, into with { IfExists = true }, into with { Clean = true, DataOnly = true }, into with { SingleTransaction = true, ThrottleLimit = 2 }];
        foreach (LoadOptions options in contrary)
            Assert.Equal("RestoreOptionsInvalid", (await FailAsync(archive, options)).Id);
        Assert.Equal("TargetDatabaseMissing", (await FailAsync(archive, new LoadOptions { Server = new() { HostName = "127.0.0.1", Port = lab.Cluster.Port, UserName = "postgres" } })).Id);
    }

    [Fact]
    public async Task MissingRightsAreTold()
    {
        await lab.Cluster.ExecuteAsync("CREATE ROLE small LOGIN");
        await lab.CreateAsync("rights", "CREATE TABLE t (a int)");
        string path = await lab.DumpAsync("rights", "c");
        LoadOptions options = lab.Into("rights 2") with { Server = lab.Server with { UserName = "small" } };
        Assert.Equal("DatabaseNotCreated", (await FailAsync(path, options)).Id);
        await lab.CreateAsync("rights 2", "REVOKE ALL ON SCHEMA public FROM PUBLIC");
        (DatabaseRestoreResult result, List<PgBackupException> errors) = await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(path), options with { NoOwner = true });
        Assert.Equal(DatabaseRestoreStatus.Partial, result.Status);
        Assert.Contains(errors, e => e.Message.Contains("permission denied for schema public", StringComparison.Ordinal));
        Assert.Equal("ServerConnectionFailed", (await FailAsync(path, options with { Server = lab.Server with { Port = 1 } })).Id);
    }

    [Fact]
    public async Task AWrongPasswordIsTold_AndNeverShown()
    {
        await lab.Cluster.ExecuteAsync("CREATE ROLE locked SUPERUSER LOGIN PASSWORD 'right: \\'");
        string hba = Path.Combine(lab.Cluster.ConfigurationDirectory, "pg_hba.conf");
        await File.WriteAllTextAsync(hba, $"host all locked 127.0.0.1/32 scram-sha-256\n{await File.ReadAllTextAsync(hba)}");
        await lab.Cluster.ExecuteAsync("SELECT pg_reload_conf()");
        await lab.CreateAsync("secret", "CREATE TABLE t (a int)");
        string path = await lab.DumpAsync("secret", "c");
        PgBackupException error = await FailAsync(path, lab.Into("secret 2") with { Server = lab.Server with { UserName = "locked", Password = "canary" } });
        Assert.Equal("AuthenticationFailed", error.Id);
        Assert.DoesNotContain("canary", error.ToString(), StringComparison.Ordinal);
        Assert.Empty((await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(path), lab.Into("secret 2") with { Server = lab.Server with { UserName = "locked", Password = "right: \\" } })).Errors);
    }

    [Fact]
    public async Task ADiskThatIsFullIsTold_AndLeftClean()
    {
        await using SmallDisk disk = await SmallDisk.MountAsync(2);
        await lab.CreateAsync("disk", Big);
        BackupRepository repository = lab.NewRepository();
        string name = await LoadLab.StoreAsync(repository, await lab.DumpAsync("disk", "c"), DumpFormat.Custom, "disk");
        var error = await Assert.ThrowsAsync<PgBackupException>(async () =>
            await LoadLab.RestoreAsync(await DumpSource.FromRepositoryAsync(repository, name), lab.Into("disk 2") with { ThrottleLimit = 2, ScratchFolder = disk.Path }));
        Assert.Equal("ScratchFolderFailed", error.Id);
        Assert.Empty(Directory.GetFileSystemEntries(disk.Path));
        Assert.False(await lab.HasDatabaseAsync("disk 2"));
    }

    private static async Task<PgBackupException> FailAsync(string path, LoadOptions options) =>
        await Assert.ThrowsAsync<PgBackupException>(async () => await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(path), options));

    private static async Task ReplaceManifestAsync(BackupRepository repository, string name, Func<DumpObject, DumpObject> change)
    {
        DumpManifest manifest = (await DumpDocuments.TryReadManifestAsync(repository, name))!;
        File.Delete(Path.Combine(repository.Location, DumpLayout.ManifestKey(name)));
        await DumpDocuments.WriteManifestAsync(repository, manifest with { Objects = [.. manifest.Objects.Select(change)] });
    }
}
