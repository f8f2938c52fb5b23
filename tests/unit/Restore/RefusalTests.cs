using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Restore;
using PgBackup.Restore.Fetching;
using PgBackup.Restore.Planning;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Restore;

/// <summary>What must not be restored is refused, by its own error, and leaves nothing that could be started.</summary>
public sealed class RefusalTests
{
    private const string Parts = "basebackups_005/{0}/tar_partitions/";

    [Fact]
    public async Task AGapInTheLogIsFoundAndNamed()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        BackupResult backup = await lab.BackupAsync();
        DateTimeOffset before = await lab.InsertAsync("A");
        await lab.InsertAsync("B");
        await lab.ArchiveAsync();
        await lab.InsertAsync("C");
        string lost = await lab.Cluster.ScalarAsync<string>("SELECT pg_walfile_name(pg_current_wal_insert_lsn())");
        await lab.ArchiveAsync();
        DateTimeOffset after = await lab.InsertAsync("D");
        await lab.InsertAsync("E");
        await lab.ArchiveAsync();
        File.Delete(Path.Combine(lab.WalFolder, lost));

        PgBackupException gap = await RefusedAsync(() => lab.PlanAsync(RestoreTarget.AtTime(after)), "WalGapDetected");
        Assert.Contains(lost, gap.Message, StringComparison.Ordinal);
        Assert.Contains("-TargetLsn", gap.Hint, StringComparison.Ordinal);
        await RefusedAsync(() => lab.PlanAsync(RestoreTarget.Latest), "WalGapDetected");
        Assert.Equal(backup.Name, (await lab.PlanAsync(RestoreTarget.AtTime(before))).Name);
        RecoveryWindow window = Assert.Single(await RecoveryWindowFinder.FindAsync(lab.Repository));
        Assert.Equal(lost, window.MissingSegment);
    }

    [Theory]
    [InlineData("lz4", 1, "part_001.tar.lz4")]
    [InlineData("lz4", 2, "pg_control.tar.lz4")]
    [InlineData("lz4", 2, "backup_label.tar.lz4")]
    [InlineData("zstd-sodium", 0, "part_001.tar.zst")]
    public async Task AMissingObjectIsFoundBeforeAnythingIsWritten(string codec, int backup, string part)
    {
        (RestoreLab lab, WalgFixture fixture) = await DamagedAsync(codec, (repo, f) => File.Delete(Path.Combine(repo, string.Format(Parts, f.Backups[backup]), part)));
        await using RestoreLab _ = lab;
        RestoreRequest request = lab.Request(RestoreTarget.Latest) with { Name = fixture.Backups[2] };
        await RefusedAsync(() => lab.RestoreAsync(new RestoreOptions { Request = request }), "ObjectMissing");
        Assert.False(Directory.Exists(request.DataDirectory));
    }

    [Fact]
    public async Task AnOlderBackupStandsInForOneThatIsBroken()
    {
        (RestoreLab lab, WalgFixture fixture) = await DamagedAsync("lz4", (repo, f) => File.Delete(Path.Combine(repo, string.Format(Parts, f.Backups[2]), "part_001.tar.lz4")));
        await using RestoreLab _ = lab;
        RestorePlan plan = await lab.PlanAsync(RestoreTarget.Latest);
        Assert.Equal(fixture.Backups[1], plan.Name);
        Assert.Contains(fixture.Backups[2], Assert.Single(plan.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADeltaWithoutItsListOfFilesIsABrokenChain()
    {
        (RestoreLab lab, WalgFixture fixture) = await DamagedAsync("lz4", (repo, f) => File.Delete(Path.Combine(repo, "basebackups_005", f.Backups[2], "files_metadata.json")));
        await using RestoreLab _ = lab;
        RestoreRequest request = lab.Request(RestoreTarget.Latest) with { Name = fixture.Backups[2] };
        await RefusedAsync(() => lab.RestoreAsync(new RestoreOptions { Request = request }), "ChainBroken");
        Assert.False(Directory.Exists(request.DataDirectory));
    }

    [Fact]
    public async Task ADeltaWithoutItsParentIsABrokenChain()
    {
        (RestoreLab lab, WalgFixture fixture) = await DamagedAsync("lz4", (repo, f) => File.Delete(Path.Combine(repo, "basebackups_005", f.Backups[1] + "_backup_stop_sentinel.json")));
        await using RestoreLab _ = lab;
        RestoreRequest request = lab.Request(RestoreTarget.Latest) with { Name = fixture.Backups[2] };
        await RefusedAsync(() => lab.RestoreAsync(new RestoreOptions { Request = request }), "ChainBroken");
        Assert.False(Directory.Exists(request.DataDirectory));
    }

    [Theory]
    [InlineData("lz4")]
    [InlineData("zstd-sodium")]
    public async Task FlippedBitsInAWalgPartAreFound(string codec)
    {
        (RestoreLab lab, WalgFixture fixture) = await DamagedAsync(codec, (repo, f) => Flip(Directory.GetFiles(Path.Combine(repo, string.Format(Parts, f.Backups[0])), "part_001*").Single(), 0.5));
        await using RestoreLab _ = lab;
        RestoreRequest request = lab.Request(RestoreTarget.Latest) with { Name = fixture.Backups[0] };
        PgBackupException error = await RefusedAsync(() => lab.RestoreAsync(new RestoreOptions { Request = request }), "BackupDamaged");
        Assert.Contains("part_001", error.Message, StringComparison.Ordinal);
        AssertNotStartable(request.DataDirectory!);
    }

    [Fact]
    public async Task FlippedBitsInAFrameOfOursAreFoundAndForceClearsWhatIsLeft()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        BackupResult backup = await lab.BackupAsync();
        await lab.InsertAsync("A");
        await lab.ArchiveAsync();
        string part = Directory.GetFiles(Path.Combine(lab.RepositoryPath, string.Format(Parts, backup.Name)), "part_001*").Single();
        byte[] sound = await File.ReadAllBytesAsync(part);
        Flip(part, 0.7);
        RestoreRequest request = lab.Request(RestoreTarget.Latest);
        PgBackupException error = await RefusedAsync(() => lab.RestoreAsync(new RestoreOptions { Request = request }), "BackupDamaged");
        Assert.Contains("part_001", error.Message, StringComparison.Ordinal);
        AssertNotStartable(request.DataDirectory!);

        await File.WriteAllBytesAsync(part, sound);
        await RefusedAsync(() => lab.RestoreAsync(new RestoreOptions { Request = request }), "DestinationNotEmpty");
        RestoreResult result = await lab.RestoreAsync(new RestoreOptions { Request = request with { Force = true }, Start = true });
        Assert.Equal("A", await RestoreLab.RowsAsync(result));
        await RefusedAsync(() => lab.RestoreAsync(new RestoreOptions { Request = request with { Force = true } }), "DestinationInUse");
    }

    [Fact]
    public async Task ACutPartIsFoundBeforeAnythingIsWritten()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        BackupResult backup = await lab.BackupAsync();
        string part = Directory.GetFiles(Path.Combine(lab.RepositoryPath, string.Format(Parts, backup.Name)), "part_001*").Single();
        await using (FileStream file = File.OpenWrite(part))
            file.SetLength(file.Length - 100);
        RestoreRequest request = lab.Request(RestoreTarget.Immediate);
        await RefusedAsync(() => lab.RestoreAsync(new RestoreOptions { Request = request }), "BackupDamaged");
        Assert.False(Directory.Exists(request.DataDirectory));
    }

    [Fact]
    public async Task AWrongKeyIsSaidToBeOne()
    {
        WalgFixture fixture = WalgFixture.Named("zstd-sodium");
        BackupRepository repository = fixture.Open() with { Key = EncryptionKey.FromSettings(new string('7', 64), KeyTransform.Hex) };
        await using RestoreLab lab = RestoreLab.Without(repository);
        RestoreRequest request = lab.Request(RestoreTarget.Latest) with { RestoreCommand = "false" };
        PgBackupException error = await RefusedAsync(() => lab.RestoreAsync(new RestoreOptions { Request = request }), "EncryptionKeyInvalid");
        Assert.Equal(ExitCodes.WrongKey, error.ExitCode);
        Assert.False(Directory.Exists(request.DataDirectory));
    }

    [Fact]
    public async Task ADestinationThatIsNotOursIsLeftAlone()
    {
        WalgFixture fixture = WalgFixture.Named("lz4");
        await using RestoreLab lab = RestoreLab.Without(fixture.Open());
        RestoreRequest request = lab.Request(RestoreTarget.Immediate) with { RestoreCommand = "false" };
        Directory.CreateDirectory(request.DataDirectory!);
        string precious = Path.Combine(request.DataDirectory!, "precious.txt");
        await File.WriteAllTextAsync(precious, "mine");
        await RefusedAsync(() => lab.RestoreAsync(new RestoreOptions { Request = request }), "DestinationNotEmpty");
        await RefusedAsync(() => lab.RestoreAsync(new RestoreOptions { Request = request with { Force = true } }), "DestinationNotReplaceable");
        Assert.Equal("mine", await File.ReadAllTextAsync(precious));

        await using PostgresCluster other = await PostgresCluster.CreateAsync();
        PgBackupException foreign = await RefusedAsync(
            () => lab.RestoreAsync(new RestoreOptions { Request = request with { Force = true, DataDirectory = other.DataDirectory } }), "DestinationNotReplaceable");
        Assert.Contains("another cluster", foreign.Message, StringComparison.Ordinal);
        await other.StartAsync();
        await RefusedAsync(() => lab.RestoreAsync(new RestoreOptions { Request = request with { Force = true, DataDirectory = other.DataDirectory } }), "DestinationInUse");
    }

    [Fact]
    public async Task AServerThatCannotReachItsTargetIsToldOfWithItsLog()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        await lab.BackupAsync();
        await lab.InsertAsync("A");
        await lab.ArchiveAsync();
        RestoreRequest request = lab.Request(RestoreTarget.Latest) with { RestoreCommand = "exit 126" };
        PgBackupException error = await RefusedAsync(() => lab.RestoreAsync(new RestoreOptions { Request = request, Start = true }), "RecoveryFailed");
        Assert.Contains("FATAL", error.Message, StringComparison.Ordinal);
        Assert.Contains("pgbackup_recovery.log", error.Hint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../evil")]
    [InlineData("/base/../../evil")]
    [InlineData("//etc/passwd")]
    [InlineData("base//1")]
    [InlineData("./../x")]
    public void AMemberThatLeadsOutOfTheDestinationHasNoPlaceInIt(string member) => Assert.Null(MemberPath.Normalize(member));

    private static async Task<(RestoreLab, WalgFixture)> DamagedAsync(string codec, Action<string, WalgFixture> damage)
    {
        WalgFixture fixture = WalgFixture.Named(codec);
        RestoreLab lab = RestoreLab.Without(fixture.Open());
        string repository = fixture.CopyTo(lab.Folder);
        damage(repository, fixture);
        lab.Repository = fixture.Open(repository);
        await lab.DecodeWalAsync();
        return (lab, fixture);
    }

    private static void Flip(string path, double where)
    {
        byte[] content = File.ReadAllBytes(path);
        content[(int)(content.Length * where)] ^= 0x10;
        File.WriteAllBytes(path, content);
    }

    private static void AssertNotStartable(string dataDirectory)
    {
        Assert.True(File.Exists(Path.Combine(dataDirectory, RestoreDestination.MarkerName)));
        Assert.False(File.Exists(Path.Combine(dataDirectory, "global", "pg_control")));
    }

    private static async Task<PgBackupException> RefusedAsync(Func<Task> action, string id)
    {
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(action);
        Assert.Equal(id, error.Id);
        Assert.NotEmpty(error.Hint);
        return error;
    }
}
