using PgBackup.Errors;
using PgBackup.Restore;
using PgBackup.Restore.Fetching;
using PgBackup.Restore.Planning;
using PgBackup.Storage;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Restore;

/// <summary>Folders of tablespaces that are others', or that others have something in.</summary>
public sealed class TablespaceGuardTests
{
    private const string OtherVersion = "PG_14_202107181";

    [Fact]
    public async Task ACopysLinksAreNoProofThatATablespaceIsItsOwn()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        string space = await lab.Cluster.CreateTablespaceAsync("fast");
        await lab.Cluster.ExecuteAsync("CREATE TABLE s (v int) TABLESPACE fast; INSERT INTO s SELECT generate_series(1, 5000)");
        await lab.BackupAsync();
        await lab.ArchiveAsync();
        string copy = lab.NewDestination("copy");
        (await ServerAccount.Current.RunAsync("/bin/cp", ["-a", lab.Cluster.DataDirectory, copy])).EnsureSuccess();
        File.Delete(Path.Combine(copy, "postmaster.pid"));
        string[] before = Directory.GetFiles(space, "*", SearchOption.AllDirectories);
        RestoreRequest request = lab.Request(RestoreTarget.Latest, copy) with { Force = true };
        var same = new Dictionary<string, string> { [space] = space };
        foreach (RestoreRequest way in new[] { request, request with { Delta = true }, request with { StopServer = true } })
        {
            PgBackupException unsaid = await RefusedAsync(() => lab.RestoreAsync(new RestoreOptions { Request = way }), "TablespaceMappingRequired");
            Assert.Contains("not the data directory that the backup was taken of", unsaid.Message, StringComparison.Ordinal);
            PgBackupException taken = await RefusedAsync(() => lab.RestoreAsync(new RestoreOptions { Request = way with { TablespaceMapping = same } }), "TablespaceInUse");
            Assert.Contains(lab.Cluster.DataDirectory, taken.Message, StringComparison.Ordinal);
            Assert.Contains($"-TablespaceMapping '{space}=", taken.Hint, StringComparison.Ordinal);
        }
        Assert.Equal(before, Directory.GetFiles(space, "*", SearchOption.AllDirectories));
        Assert.True(File.Exists(Path.Combine(copy, "global", "pg_control")));
        await lab.Cluster.RestartAsync();
        Assert.Equal(5000, await lab.Cluster.ScalarAsync<long>("SELECT count(*) FROM s"));

        // Elsewhere, beside the running server; and in the same folder once that is nobody's any more, and it was said.
        RestoreRequest delta = request with { Delta = true, TablespaceMapping = new Dictionary<string, string> { [space] = lab.NewDestination("elsewhere") } };
        RestoreResult result = await lab.RestoreAsync(new RestoreOptions { Request = delta, Start = true });
        Assert.Equal("5000", await RestoreLab.QueryAsync(result, "SELECT count(*) FROM s"));
        await lab.StopAsync(copy);
        await lab.Cluster.StopAsync();
        string link = Directory.GetFileSystemEntries(Path.Combine(copy, "pg_tblspc")).Single();
        TablespaceLink.Set(link, space);
        await lab.RestoreAsync(new RestoreOptions { Request = request with { Delta = true, TablespaceMapping = same } });
    }

    [Fact]
    public async Task ATablespaceThatReplayWouldMakeInARunningServersFolderIsRefused()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        await lab.BackupAsync();
        string space = await lab.Cluster.CreateTablespaceAsync("later");
        await lab.Cluster.ExecuteAsync("CREATE TABLE s (v int) TABLESPACE later; INSERT INTO s SELECT generate_series(1, 5000)");
        await lab.ArchiveAsync();
        PgBackupException refused = await RefusedAsync(
            () => lab.RestoreAsync(new RestoreOptions { Request = lab.Request(RestoreTarget.Latest, lab.NewDestination("beside")), Start = true }), "TablespaceInUse");
        Assert.Contains(space, refused.Message, StringComparison.Ordinal);
        await lab.Cluster.RestartAsync();
        Assert.Equal(5000, await lab.Cluster.ScalarAsync<long>("SELECT count(*) FROM s"));

        // In the place of that server itself the folder is its own.
        await lab.Cluster.StopAsync();
        RestoreResult result = await lab.RestoreAsync(new RestoreOptions { Request = lab.Request(RestoreTarget.Latest, lab.Cluster.DataDirectory) with { Force = true }, Start = true });
        Assert.Equal("5000", await RestoreLab.QueryAsync(result, "SELECT count(*) FROM s"));
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task WhatElseLiesInTheFolderOfATablespaceIsLeftAlone(bool delta, bool stop)
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        string space = await lab.Cluster.CreateTablespaceAsync("fast");
        await lab.Cluster.ExecuteAsync("CREATE TABLE s (v int) TABLESPACE fast; INSERT INTO s SELECT generate_series(1, 5000)");
        await lab.BackupAsync();
        await lab.ArchiveAsync();
        Directory.CreateDirectory(Path.Combine(space, OtherVersion, "5"));
        await File.WriteAllTextAsync(Path.Combine(space, OtherVersion, "5", "1"), "theirs");
        await File.WriteAllTextAsync(Path.Combine(space, "precious.txt"), "mine");
        string own = Directory.GetDirectories(space).Single(d => !d.EndsWith(OtherVersion, StringComparison.Ordinal));
        await File.WriteAllTextAsync(Path.Combine(own, "leftover"), "x");
        if (!stop)
            await lab.Cluster.StopAsync();
        RestoreRequest request = lab.Request(RestoreTarget.Latest, lab.Cluster.DataDirectory) with { Delta = delta, Force = true, StopServer = stop };
        RestoreResult result = await lab.RestoreAsync(new RestoreOptions { Request = request, Start = true });
        Assert.Equal("theirs", await File.ReadAllTextAsync(Path.Combine(space, OtherVersion, "5", "1")));
        Assert.Equal("mine", await File.ReadAllTextAsync(Path.Combine(space, "precious.txt")));
        Assert.False(File.Exists(Path.Combine(own, "leftover")));
        Assert.Equal("5000", stop ? $"{await lab.Cluster.ScalarAsync<long>("SELECT count(*) FROM s")}" : await RestoreLab.QueryAsync(result, "SELECT count(*) FROM s"));
        if (stop && !delta)
            Assert.Equal([Path.GetFileName(own)], Directory.GetFileSystemEntries(Directory.GetDirectories(lab.Cluster.Folder, "space-fast.before-*").Single()).Select(Path.GetFileName));
    }

    [Fact]
    public void OnlyTheFolderOfItsOwnVersionIsAClusters()
    {
        var tablespace = new RestoredTablespace(1, "/a", "/a") { CatalogVersion = 202209061 };
        Assert.True(tablespace.Owns("PG_15_202209061"));
        Assert.False(tablespace.IsOfAnotherVersion("PG_15_202209061"));
        Assert.True(tablespace.IsOfAnotherVersion(OtherVersion));
        Assert.False(tablespace.Owns("precious_202209061") || tablespace.IsOfAnotherVersion("precious_202209061"));
        using var destination = new RestoreDestination("/nowhere", [tablespace], null);
        Assert.True(destination.IsOfAnotherVersion($"pg_tblspc/1/{OtherVersion}/5/1"));
        Assert.True(destination.IsOfAnotherVersion($"pg_tblspc/1/{OtherVersion}"));
        Assert.False(destination.IsOfAnotherVersion("pg_tblspc/1/PG_15_202209061/5/1"));
        Assert.False(destination.IsOfAnotherVersion($"pg_tblspc/2/{OtherVersion}/5/1"));
    }

    [Fact]
    public async Task FoldersThatHoldEachOtherOrTheRepositoryAreRefused()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        string one = await lab.Cluster.CreateTablespaceAsync("one"), two = await lab.Cluster.CreateTablespaceAsync("two");
        await lab.BackupAsync();
        await lab.ArchiveAsync();
        string at = lab.NewDestination("at"), alias = lab.NewDestination("alias");
        Directory.CreateDirectory(at);
        File.CreateSymbolicLink(alias, at);
        File.CreateSymbolicLink(lab.NewDestination("repo-alias"), lab.RepositoryPath);
        RestoreRequest request = lab.Request(RestoreTarget.Latest, Path.Combine(at, "data"));
        foreach ((string first, string second) in new[]
        {
            (Path.Combine(at, "x"), Path.Combine(at, "x", "y")), (Path.Combine(at, "x", "y"), Path.Combine(alias, "x")), (Path.Combine(alias, "data", "z"), Path.Combine(at, "y")),
            (alias, lab.NewDestination("y")),
        })
        {
            RestoreRequest mapped = request with { TablespaceMapping = new Dictionary<string, string> { [one] = first, [two] = second } };
            await RefusedAsync(() => lab.RestoreAsync(new RestoreOptions { Request = mapped }), "TablespaceMappingInvalid");
        }
        var apart = new Dictionary<string, string> { [one] = Path.Combine(at, "one"), [two] = Path.Combine(at, "two") };
        foreach (string place in new[] { Path.Combine(lab.RepositoryPath, "data"), Path.Combine(lab.NewDestination("repo-alias"), "data") })
            await RefusedAsync(() => lab.RestoreAsync(new RestoreOptions { Request = request with { DataDirectory = place, TablespaceMapping = apart } }), "DestinationHoldsRepository");
        RestoreRequest within = request with { TablespaceMapping = new Dictionary<string, string>(apart) { [two] = Path.Combine(lab.RepositoryPath, "two") } };
        await RefusedAsync(() => lab.RestoreAsync(new RestoreOptions { Request = within }), "DestinationHoldsRepository");
        Assert.Empty(Directory.GetFileSystemEntries(at));

        // A repository in the data directory that would be cleared.
        await lab.Cluster.StopAsync();
        string inside = Path.Combine(lab.Cluster.DataDirectory, "backups");
        (await ServerAccount.Current.RunAsync("/bin/cp", ["-a", lab.RepositoryPath, inside])).EnsureSuccess();
        lab.Repository = lab.Repository with { Store = new DirectoryStore(inside) };
        await RefusedAsync(() => lab.RestoreAsync(new RestoreOptions { Request = request with { DataDirectory = lab.Cluster.DataDirectory, Force = true } }), "DestinationHoldsRepository");
    }

    private static async Task<PgBackupException> RefusedAsync(Func<Task> action, string id)
    {
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(action);
        Assert.Equal(id, error.Id);
        Assert.NotEmpty(error.Hint);
        return error;
    }
}
