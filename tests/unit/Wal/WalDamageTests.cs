using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Tests.Kit;
using PgBackup.Wal.Fetch;
using PgBackup.Wal.Push;

namespace PgBackup.Tests.Wal;

/// <summary>Objects that are cut, changed, or of another key: found, set aside or refused, never handed on.</summary>
public sealed class WalDamageTests : IDisposable
{
    private const string OtherKey = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    private readonly TempFolder _folder = new();
    private readonly WarningLog _log = new();
    private readonly string _path;

    public WalDamageTests() => _path = WalSamples.WriteSegment(_folder.Combine("pg_wal"));

    public void Dispose() => _folder.Dispose();

    public static TheoryData<CompressionMethod, string?> Writers => new()
    {
        { CompressionMethod.Zstd, null }, { CompressionMethod.Lz4, null }, { CompressionMethod.Zstd, WalSamples.HexKey }, { CompressionMethod.None, WalSamples.HexKey },
    };

    [Theory]
    [MemberData(nameof(Writers))]
    public async Task FetchRefusesEveryFlippedBitAndEveryCut(CompressionMethod method, string? key)
    {
        BackupRepository repository = WalSamples.Repository(_folder.Combine("repo"), method, key);
        WalPushResult pushed = await WalPush.PushAsync(repository, _path);
        string stored = Path.Combine(repository.Location, pushed.Key);
        byte[] good = File.ReadAllBytes(stored);
        string target = _folder.Combine("RECOVERYXLOG");
        var random = new Random(7);
        for (int round = 0; round < 60; round++)
        {
            byte[] bad = (byte[])good.Clone();
            if (round % 3 == 0)
                bad = bad[..random.Next(bad.Length)];
            else
                bad[round < 30 ? random.Next(64) : random.Next(bad.Length)] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(stored, bad);
            Exception? error = await Record.ExceptionAsync(() => WalFetch.FetchAsync(repository, WalSamples.Segment, target, _log));
            // A changed bit that the format does not use decodes to the same bytes; anything else must be refused.
            if (error is null)
                Assert.Equal(File.ReadAllBytes(_path), File.ReadAllBytes(target));
            else
            {
                Assert.Contains(Assert.IsType<PgBackupException>(error).Id, new[] { "ObjectDamaged", "EncryptionKeyInvalid", "WalFileInvalid" });
                Assert.False(File.Exists(target));
            }
            File.Delete(target);
            Assert.Empty(Directory.GetFiles(_folder.Path));
        }
    }

    [Theory]
    [MemberData(nameof(Writers))]
    public async Task PushReplacesACutObjectAndKeepsIt(CompressionMethod method, string? key)
    {
        BackupRepository repository = WalSamples.Repository(_folder.Combine("repo"), method, key);
        WalPushResult pushed = await WalPush.PushAsync(repository, _path);
        string stored = Path.Combine(repository.Location, pushed.Key);
        byte[] cut = File.ReadAllBytes(stored)[..^1000];
        File.WriteAllBytes(stored, cut);

        WalPushResult again = await WalPush.PushAsync(repository, _path, _log);

        Assert.Equal(WalPushStatus.Replaced, again.Status);
        Assert.Single(_log.Warnings);
        string aside = Assert.Single(WalSamples.Names(repository, WalSetAside.Folder));
        Assert.Equal(cut, File.ReadAllBytes(Path.Combine(repository.Location, WalSetAside.Folder, aside)));
        Assert.Single(WalSamples.Names(repository));
        await WalFetch.FetchAsync(repository, WalSamples.Segment, _folder.Combine("out"));
        Assert.Equal(File.ReadAllBytes(_path), File.ReadAllBytes(_folder.Combine("out")));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5000)]
    public async Task ATornObjectOfZerosUnderAnotherExtensionIsReplaced(int size)
    {
        BackupRepository repository = WalSamples.Repository(_folder.Combine("repo"));
        WalSamples.WriteFile(Path.Combine(repository.Location, "wal_005"), WalSamples.Segment + ".lz4", new byte[size]);
        Assert.Equal(WalPushStatus.Replaced, (await WalPush.PushAsync(repository, _path, _log)).Status);
        Assert.Equal([WalSamples.Segment + ".zst"], WalSamples.Names(repository));
        Assert.Single(WalSamples.Names(repository, WalSetAside.Folder));
    }

    [Fact]
    public async Task AnUncompressedObjectThatWasCutIsNoConflict()
    {
        BackupRepository repository = WalSamples.Repository(_folder.Combine("repo"), CompressionMethod.None);
        WalSamples.WriteFile(Path.Combine(repository.Location, "wal_005"), WalSamples.Segment, File.ReadAllBytes(_path).AsSpan(0, 100_000));
        Assert.Equal(WalPushStatus.Replaced, (await WalPush.PushAsync(repository, _path, _log)).Status);
    }

    [Fact]
    public async Task AWrongKeySetsNothingAside()
    {
        BackupRepository right = WalSamples.Repository(_folder.Combine("repo"), CompressionMethod.Zstd, WalSamples.HexKey);
        BackupRepository wrong = WalSamples.Repository(_folder.Combine("repo"), CompressionMethod.Zstd, OtherKey);
        BackupRepository none = WalSamples.Repository(_folder.Combine("repo"));
        await WalPush.PushAsync(right, _path);
        foreach ((BackupRepository repository, string id) in new[] { (wrong, "EncryptionKeyInvalid"), (none, "EncryptionKeyRequired") })
        {
            PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => WalPush.PushAsync(repository, _path));
            Assert.Equal((id, ExitCodes.WrongKey), (error.Id, error.ExitCode));
        }
        Assert.Empty(WalSamples.Names(right, WalSetAside.Folder));
        Assert.Equal(WalPushStatus.AlreadyStored, (await WalPush.PushAsync(right, _path)).Status);
    }

    [Fact]
    public async Task ADamagedBeginOfACiphertextIsNotTakenForAWrongKey()
    {
        BackupRepository repository = WalSamples.Repository(_folder.Combine("repo"), CompressionMethod.Zstd, WalSamples.HexKey);
        WalPushResult pushed = await WalPush.PushAsync(repository, _path);
        string stored = Path.Combine(repository.Location, pushed.Key);
        byte[] bytes = File.ReadAllBytes(stored);
        bytes[30] ^= 1;
        File.WriteAllBytes(stored, bytes);
        Assert.Equal(WalPushStatus.Replaced, (await WalPush.PushAsync(repository, _path)).Status);
        Assert.Single(WalSamples.Names(repository, WalSetAside.Folder));
    }

    [Fact]
    public async Task FetchPassesOverADamagedObjectForAGoodOne()
    {
        BackupRepository repository = WalSamples.Repository(_folder.Combine("repo"), CompressionMethod.Lz4);
        await WalPush.PushAsync(repository, _path);
        WalSamples.WriteFile(Path.Combine(repository.Location, "wal_005"), WalSamples.Segment + ".zst", [1, 2, 3]);
        WalFetchResult result = await WalFetch.FetchAsync(repository, WalSamples.Segment, _folder.Combine("out"), _log);
        Assert.EndsWith(".lz4", result.Key, StringComparison.Ordinal);
        Assert.Single(_log.Warnings);
        Assert.Equal(File.ReadAllBytes(_path), File.ReadAllBytes(_folder.Combine("out")));
    }

    [Fact]
    public async Task FetchRefusesASegmentOfAnotherClusterOrAnotherName()
    {
        BackupRepository repository = WalSamples.Repository(_folder.Combine("repo"), CompressionMethod.None);
        await WalPush.PushAsync(repository, _path);
        string folder = Path.Combine(repository.Location, "wal_005");
        const string Next = "000000010000000000000004";
        WalSamples.WriteFile(folder, Next, WalSamples.SegmentBytes(Next, cluster: 42));
        Assert.Equal("ClusterIdentityMismatch", (await Assert.ThrowsAsync<PgBackupException>(() => WalFetch.FetchAsync(repository, Next, _folder.Combine("out")))).Id);
        WalSamples.WriteFile(folder, Next, WalSamples.SegmentBytes());
        Assert.Equal("WalFileInvalid", (await Assert.ThrowsAsync<PgBackupException>(() => WalFetch.FetchAsync(repository, Next, _folder.Combine("out")))).Id);
        Assert.False(File.Exists(_folder.Combine("out")));
    }

    [Fact]
    public async Task MissingIsToldFromARepositoryThatIsNotThere()
    {
        BackupRepository repository = WalSamples.Repository(_folder.Combine("repo"));
        string target = _folder.Combine("out");
        // An empty folder is what a disk that is not mounted leaves.
        PgBackupException absent = await Assert.ThrowsAsync<PgBackupException>(() => WalFetch.FetchAsync(repository, WalSamples.Segment, target));
        await WalPush.PushAsync(repository, _path);
        PgBackupException missing = await Assert.ThrowsAsync<PgBackupException>(() => WalFetch.FetchAsync(repository, "000000010000000000000009", target));

        Assert.Equal(("RepositoryNotFound", "WalSegmentNotFound"), (absent.Id, missing.Id));
        Assert.Equal(126, RestoreCommand.ExitCodeOf(absent, standby: false));
        Assert.Equal(1, RestoreCommand.ExitCodeOf(absent, standby: true));
        Assert.Equal(1, RestoreCommand.ExitCodeOf(missing, standby: false));
        File.WriteAllBytes(Path.Combine(repository.Location, "wal_005", WalSamples.Segment + ".zst"), [9]);
        PgBackupException damaged = await Assert.ThrowsAsync<PgBackupException>(() => WalFetch.FetchAsync(repository, WalSamples.Segment, target));
        Assert.Equal(126, RestoreCommand.ExitCodeOf(damaged, standby: true));
    }

    [Fact]
    public async Task AFetchIntoAFolderTakesTheNameAndReplaces()
    {
        BackupRepository repository = WalSamples.Repository(_folder.Combine("repo"));
        await WalPush.PushAsync(repository, _path);
        string folder = Directory.CreateDirectory(_folder.Combine("into")).FullName;
        File.WriteAllText(Path.Combine(folder, WalSamples.Segment), "old");
        Assert.Equal(Path.Combine(folder, WalSamples.Segment), (await WalFetch.FetchAsync(repository, WalSamples.Segment, folder)).Destination);
        Assert.Equal(1 << 20, new FileInfo(Path.Combine(folder, WalSamples.Segment)).Length);
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => WalFetch.FetchAsync(repository, WalSamples.Segment, _folder.Combine("no", "folder")));
        Assert.Equal("WalDestinationUnwritable", error.Id);
    }

    [Fact]
    public async Task RestoreCommandTriesAgainWhatMayPass()
    {
        BackupRepository repository = WalSamples.Repository(_folder.Combine("repo"));
        await WalPush.PushAsync(repository, _path);
        string away = _folder.Combine("away");
        Directory.Move(repository.Location, away);
        Task<WalFetchResult> fetch = RestoreCommand.FetchAsync(
            repository, WalSamples.Segment, _folder.Combine("out"), [TimeSpan.FromMilliseconds(300), TimeSpan.FromMilliseconds(300)], _log, CancellationToken.None);
        await Task.Delay(100);
        Directory.Move(away, repository.Location);
        Assert.Equal(1 << 20, (await fetch).Size.Bytes);
    }
}
