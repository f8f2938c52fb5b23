using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Restore;
using PgBackup.Restore.Fetching;
using PgBackup.Restore.Planning;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Restore;

/// <summary>How a data directory is taken over, and given back its place: the marker, the control file, the links.</summary>
public sealed class TakeoverTests
{
    [Fact]
    public async Task AServerThatWasStartedAgainInBetweenKeepsItsDirectory()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        string directory = lab.Cluster.DataDirectory;
        using (var destination = new RestoreDestination(directory, [], null) { InPlace = true })
            Assert.Equal("DestinationInUse", Assert.Throws<PgBackupException>(() => destination.Prepare("test")).Id);
        Assert.Equal("DestinationInUse", Assert.Throws<PgBackupException>(() => DestinationClearing.Clear(directory, [])).Id);
        Assert.Equal("DestinationInUse", Assert.Throws<PgBackupException>(() => DestinationClearing.SetAside(directory, [], DateTimeOffset.UtcNow)).Id);
        Assert.Empty(Directory.GetFileSystemEntries(lab.Cluster.Folder, "data.before-*"));
        Assert.False(File.Exists(Path.Combine(directory, RestoreDestination.MarkerName)));
        Assert.False(File.Exists(Path.Combine(directory, RestoreDestination.OldControlFile)));
        await lab.Cluster.ExecuteAsync("INSERT INTO t VALUES ('A')");
        await lab.Cluster.ExecuteAsync("CHECKPOINT");
        await lab.Cluster.RestartAsync();
        Assert.Equal("A", await lab.Cluster.ScalarAsync<string>("SELECT v FROM t"));
    }

    [Fact]
    public async Task AMarkerAloneDoesNotMakeAnotherClusterOurs()
    {
        WalgFixture fixture = WalgFixture.Named("lz4");
        await using RestoreLab lab = RestoreLab.Without(fixture.Open());
        await using PostgresCluster other = await PostgresCluster.CreateAsync();
        string control = Path.Combine(other.DataDirectory, "global", "pg_control"), old = Path.Combine(other.DataDirectory, RestoreDestination.OldControlFile);
        RestoreRequest request = lab.Request(RestoreTarget.Immediate, other.DataDirectory) with { RestoreCommand = "false", Force = true };
        await File.WriteAllTextAsync(Path.Combine(other.DataDirectory, RestoreDestination.MarkerName), "test");
        foreach (bool aside in new[] { false, true })
        {
            if (aside)
                File.Move(control, old);
            foreach (bool delta in new[] { false, true })
            {
                PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => lab.RestoreAsync(new RestoreOptions { Request = request with { Delta = delta } }));
                Assert.Equal("DestinationNotReplaceable", error.Id);
                Assert.Contains("another cluster", error.Message, StringComparison.Ordinal);
            }
        }
        File.Move(old, control);
        File.Delete(Path.Combine(other.DataDirectory, RestoreDestination.MarkerName));
        await other.StartAsync();
    }

    [Fact]
    public void HowTheServerRanIsKnownUntilItRunsAgain()
    {
        using TempFolder folder = new();
        string root = folder.Combine("data");
        Directory.CreateDirectory(Path.Combine(root, "global"));
        string options = Path.Combine(root, RestoreDestination.ServerOptionsFile);
        File.WriteAllText(options, "/bin/postgres \"-D\" \"/data\" \"-c\" \"config_file=/etc/x.conf\"");
        File.WriteAllText(Path.Combine(root, "global", "pg_control"), "old");
        using (var destination = new RestoreDestination(root, [], null) { InPlace = true })
        {
            destination.Prepare("test");
            destination.WriteFile(RestoreDestination.PendingControlFile, "new"u8);
            destination.Complete(default);
        }
        Assert.Equal(["-c", "config_file=/etc/x.conf"], DestinationClearing.ServerOptions(root));
        Assert.Equal("new", File.ReadAllText(Path.Combine(root, "global", "pg_control")));
        Assert.False(File.Exists(Path.Combine(root, RestoreDestination.OldControlFile)) || File.Exists(Path.Combine(root, RestoreDestination.MarkerName)));
    }

    [Fact]
    public void ALinkThatIsRightIsLeftAloneAndAnotherIsChangedInOneStep()
    {
        using TempFolder folder = new();
        string link = folder.Combine("16384"), one = folder.Combine("one"), two = folder.Combine("two");
        Directory.CreateDirectory(one);
        Directory.CreateDirectory(two);
        TablespaceLink.Set(link, one);
        (ulong, ulong) first = Posix.FactsOf(link)!.Value.Identity;
        TablespaceLink.Set(link, one);
        Assert.Equal(first, Posix.FactsOf(link)!.Value.Identity);
        File.CreateSymbolicLink(link + ".pgbackup", one); // What a kill has left.
        TablespaceLink.Set(link, two);
        Assert.Equal(two, new FileInfo(link).LinkTarget);
        Assert.Equal(["16384", "one", "two"], Directory.GetFileSystemEntries(folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task AFileThatItsOwnerMayNotWriteIsReplaced()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        string key = Path.Combine(lab.Cluster.DataDirectory, "server.key");
        await File.WriteAllTextAsync(key, "secret");
        File.SetUnixFileMode(key, UnixFileMode.UserRead);
        ServerAccount.Current.Own(key);
        await lab.BackupAsync();
        await lab.ArchiveAsync();
        await lab.Cluster.StopAsync();
        using FileStream before = File.OpenRead(key);
        await lab.RestoreAsync(new RestoreOptions { Request = lab.Request(RestoreTarget.Latest, lab.Cluster.DataDirectory) with { Delta = true } });
        Assert.Equal(0u, Posix.FactsOf(before.SafeFileHandle).Links);
        Assert.Equal("secret", await File.ReadAllTextAsync(key));
    }
}
