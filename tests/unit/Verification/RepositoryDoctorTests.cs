using System.Text;
using PgBackup.Codecs;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Restore;
using PgBackup.Verification.Doctor;

namespace PgBackup.Tests.Verification;

/// <summary>The doctor over folders: repositories that wal-g wrote, whole and with one thing amiss each.</summary>
public sealed class RepositoryDoctorTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly string _root;

    public RepositoryDoctorTests()
    {
        _root = WalgFixture.Named("lz4").CopyTo(_folder);
        ServerAccount.Current.Own(_root);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task ARepositoryInOrderPassesEveryCheckAndIsLeftAsItWas()
    {
        string[] before = Files();

        IReadOnlyList<RepositoryCheck> checks = await Patient.ExamineAsync(Patient.Settings(_root));

        Assert.Equal(Enum.GetValues<RepositoryCheckName>(), checks.Select(c => c.Name));
        Assert.All(checks, c => Assert.True(c.Status is CheckStatus.Passed or CheckStatus.Skipped, $"{c}: {c.Message}"));
        Assert.Equal(
            [RepositoryCheckName.Versioning, RepositoryCheckName.ObjectLock, RepositoryCheckName.Compatibility],
            checks.Where(c => c.Status == CheckStatus.Skipped).Select(c => c.Name));
        Assert.All(checks, c => Assert.Equal(_root, c.Repository));
        Assert.Equal(before, Files());
    }

    [Fact]
    public async Task WithoutWritingNothingIsWrittenAndReadingIsTriedOnWhatIsThere()
    {
        File.SetLastWriteTimeUtc(Path.Combine(_root, "wal_005"), DateTime.UnixEpoch);
        string[] before = Files();

        IReadOnlyList<RepositoryCheck> checks = await Patient.ExamineAsync(Patient.Settings(_root), new DoctorOptions { SkipWrite = true });

        Assert.DoesNotContain(checks, c => c.Name is RepositoryCheckName.Put or RepositoryCheckName.Delete or RepositoryCheckName.Throughput);
        Assert.Equal(CheckStatus.Passed, checks.Single(c => c.Name == RepositoryCheckName.Get).Status);
        Assert.Contains("sentinel", checks.Single(c => c.Name == RepositoryCheckName.Get).Message, StringComparison.Ordinal);
        Assert.Equal(CheckStatus.Skipped, checks.Single(c => c.Name == RepositoryCheckName.Clock).Status);
        Assert.Equal(CheckStatus.Skipped, (await Patient.ExamineAsync(Patient.Settings(_root), RepositoryCheckName.Put, skipWrite: true)).Status);
        Assert.Equal(before, Files());
    }

    [Fact]
    public async Task AnEmptyRepositoryIsInOrder()
    {
        string empty = ServerAccount.Current.CreateFolder(_folder.Combine("empty"));
        Assert.DoesNotContain(await Patient.ExamineAsync(Patient.Settings(empty)), c => c.Status is CheckStatus.Failed or CheckStatus.Warning);
        Assert.Empty(Directory.EnumerateFileSystemEntries(empty));
    }

    [Fact]
    public async Task AMissingFolderIsOneFailureAndIsNotMade()
    {
        string missing = _folder.Combine("missing");

        RepositoryCheck only = Assert.Single(await Patient.ExamineAsync(Patient.Settings(missing)));
        IReadOnlyList<RepositoryCheck> named = await Patient.ExamineAsync(Patient.Settings(missing), new DoctorOptions { Only = [RepositoryCheckName.Put] });

        Assert.Equal((RepositoryCheckName.Connection, CheckStatus.Failed), (only.Name, only.Status));
        Assert.Contains("-Repository", only.Recommendation, StringComparison.Ordinal);
        Assert.Equal([CheckStatus.Failed, CheckStatus.Skipped], named.Select(c => c.Status));
        Assert.False(Directory.Exists(missing));
    }

    [Fact]
    public async Task AFullDiskIsToldWithWhatFailed()
    {
        await using SmallDisk disk = await SmallDisk.MountAsync(8);

        IReadOnlyList<RepositoryCheck> checks = await Patient.ExamineAsync(Patient.Settings(disk.Path));

        Assert.Equal(CheckStatus.Failed, checks.Single(c => c.Name == RepositoryCheckName.FreeSpace).Status);
        Assert.Equal(CheckStatus.Failed, checks.Single(c => c.Name == RepositoryCheckName.Multipart).Status);
        Assert.Equal(CheckStatus.Passed, checks.Single(c => c.Name == RepositoryCheckName.Put).Status);
        Assert.Empty(Directory.EnumerateFileSystemEntries(disk.Path));
    }

    [Fact]
    public async Task StoppedInTheMiddleItRemovesItsProbesFirst()
    {
        using var stop = new CancellationTokenSource();
        var doctor = new RepositoryDoctor(Patient.Settings(_root));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (RepositoryCheck check in doctor.RunAsync(stop.Token))
            {
                if (check.Name != RepositoryCheckName.ConditionalPut)
                    continue;
                Assert.NotEmpty(Directory.EnumerateFiles(Path.Combine(_root, "pgbackup_v1"), "*", SearchOption.AllDirectories));
                await stop.CancelAsync();
            }
        });
        Assert.False(Directory.Exists(Path.Combine(_root, "pgbackup_v1")));
    }

    [Fact]
    public async Task LeftThereByWhoReadsNoFurtherItRemovesItsProbesToo()
    {
        await foreach (RepositoryCheck check in new RepositoryDoctor(Patient.Settings(_root)).RunAsync())
        {
            if (check.Name == RepositoryCheckName.Copy)
                break;
        }
        Assert.False(Directory.Exists(Path.Combine(_root, "pgbackup_v1")));
    }

    [Fact]
    public async Task ProbesOfAKilledDoctorGoAfterADay()
    {
        string probes = Path.Combine(_root, "pgbackup_v1", "probes");
        string old = Write($"{probes}/aaaa/put"), young = Write($"{probes}/bbbb/put");
        string inFlight = Write($"{probes}/cccc/multipart.tmp.20200101T000000Z-0a1b2c3d");
        File.SetLastWriteTimeUtc(old, DateTime.UtcNow.AddHours(-25));
        File.SetLastWriteTimeUtc(young, DateTime.UtcNow.AddHours(-23));

        RepositoryCheck look = await Patient.ExamineAsync(Patient.Settings(_root), RepositoryCheckName.LeftProbes, skipWrite: true);
        Assert.True(File.Exists(old) && look.Status == CheckStatus.Warning, look.Message);
        RepositoryCheck check = await Patient.ExamineAsync(Patient.Settings(_root), RepositoryCheckName.LeftProbes);

        Assert.Equal(CheckStatus.Passed, check.Status);
        Assert.Contains("1 probe and 1 unfinished upload", check.Message, StringComparison.Ordinal);
        Assert.Equal([young], Directory.GetFiles(probes, "*", SearchOption.AllDirectories));
        Assert.False(File.Exists(inFlight));
    }

    [Fact]
    public async Task TheKeyIsProvenOnWhatIsThere()
    {
        WalgFixture sealedOne = WalgFixture.Named("zstd-sodium");
        EncryptionKey right = sealedOne.Open().Key!, wrong = EncryptionKey.FromSettings(new string('0', 64), KeyTransform.Hex);

        async Task<(CheckStatus Status, string Message)> Encryption(string folder, EncryptionKey? key)
        {
            RepositoryCheck check = await Patient.ExamineAsync(Patient.Settings(folder, key), RepositoryCheckName.Encryption, skipWrite: true);
            return (check.Status, check.Message);
        }

        Assert.Equal((CheckStatus.Passed, "The key fits (5 objects tried)."), await Encryption(sealedOne.RepositoryPath, right));
        Assert.Equal((CheckStatus.Passed, "Nothing is encrypted, and no key is given (5 objects tried)."), await Encryption(_root, null));
        Assert.Equal(CheckStatus.Failed, (await Encryption(sealedOne.RepositoryPath, wrong)).Status);
        (CheckStatus status, string message) = await Encryption(sealedOne.RepositoryPath, null);
        Assert.True(status == CheckStatus.Failed && message.Contains("no key was given", StringComparison.Ordinal), message);
        (status, message) = await Encryption(_root, wrong);
        Assert.True(status == CheckStatus.Failed && message.Contains("is not encrypted", StringComparison.Ordinal), message);

        // Recorded as encrypted, and yet a foreign pusher archives in plain.
        string mixed = sealedOne.CopyTo(_folder, "mixed");
        await RepositoryEncryption.RecordAsync(new BackupRepository(new DirectoryStore(mixed), right));
        File.Copy($"{_root}/wal_005/000000010000000000000007.lz4", $"{mixed}/wal_005/000000010000000000000008.lz4");
        File.SetLastWriteTimeUtc($"{mixed}/wal_005/000000010000000000000008.lz4", DateTime.UtcNow);
        (status, message) = await Encryption(mixed, right);
        Assert.True(status == CheckStatus.Failed && message.Contains("side by side: 'wal_005/000000010000000000000008.lz4'", StringComparison.Ordinal), message);
    }

    [Fact]
    public async Task WhatOtherToolsPutHereIsNamed()
    {
        Write($"{_root}/archive/demo/archive.info");
        Write($"{_root}/backup/demo/backup.info");
        Write($"{_root}/notes.txt");
        RepositoryCheck check = await Patient.ExamineAsync(Patient.Settings(_root), RepositoryCheckName.ForeignObjects);
        Assert.Equal(CheckStatus.Warning, check.Status);
        Assert.Contains("'archive/', 'backup/', 'notes.txt'", check.Message, StringComparison.Ordinal);
        Assert.Contains("pgBackRest", check.Message, StringComparison.Ordinal);

        Directory.Delete($"{_root}/archive", recursive: true);
        Write($"{_root}/main/base/20260101T000000/backup.info");
        Write($"{_root}/main/wals/0000000100000000/x");
        Assert.Contains("Barman", (await Patient.ExamineAsync(Patient.Settings(_root), RepositoryCheckName.ForeignObjects)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task UnfinishedUploadsOfADayAgoAreTold()
    {
        string now = DateTime.UtcNow.ToString("yyyyMMdd'T'HHmmss'Z'", System.Globalization.CultureInfo.InvariantCulture);
        Write($"{_root}/wal_005/000000010000000000000008.zst.tmp.{now}-0a1b2c3d");
        Assert.Equal(CheckStatus.Passed, (await Patient.ExamineAsync(Patient.Settings(_root), RepositoryCheckName.UnfinishedUploads)).Status);

        Write($"{_root}/wal_005/000000010000000000000009.zst.tmp.20260101T101112Z-0a1b2c3d");
        RepositoryCheck check = await Patient.ExamineAsync(Patient.Settings(_root), RepositoryCheckName.UnfinishedUploads);

        Assert.Equal(CheckStatus.Warning, check.Status);
        Assert.Contains("2 objects are in flight, 2 B; the oldest, 'wal_005/000000010000000000000009.zst', since 2026-01-01 10:11:12Z", check.Message, StringComparison.Ordinal);
        Assert.Contains("find ", check.Recommendation, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABackupThatNobodyFinishesIsTold()
    {
        const string Dead = "base_0000000100000000000000A0", Young = "base_0000000100000000000000A1", Mine = "base_0000000100000000000000A2";
        File.SetLastWriteTimeUtc(Write($"{_root}/basebackups_005/{Dead}/tar_partitions/part_001.tar.lz4"), DateTime.UtcNow.AddHours(-3));
        Write($"{_root}/basebackups_005/{Young}/tar_partitions/part_001.tar.lz4");
        File.SetLastWriteTimeUtc(Write($"{_root}/basebackups_005/{Mine}/tar_partitions/part_001.tar.lz4"), DateTime.UtcNow.AddHours(-3));
        await using BackupLease lease = await BackupLease.AcquireAsync(new BackupRepository(new DirectoryStore(_root), null), Mine);

        RepositoryCheck check = await Patient.ExamineAsync(Patient.Settings(_root), RepositoryCheckName.UnfinishedBackups);
        RepositoryCheck writers = await Patient.ExamineAsync(Patient.Settings(_root), RepositoryCheckName.Writers);

        Assert.Equal(CheckStatus.Warning, check.Status);
        Assert.Contains(Dead, check.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Mine, check.Message, StringComparison.Ordinal);
        Assert.Equal(CheckStatus.Passed, writers.Status);
        Assert.Contains($"A backup runs: {Mine}", writers.Message, StringComparison.Ordinal);
        Directory.Delete($"{_root}/basebackups_005/{Dead}", recursive: true);
        Assert.Contains("wal-g may be at work", (await Patient.ExamineAsync(Patient.Settings(_root), RepositoryCheckName.UnfinishedBackups)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADuplicateInTheArchiveIsTold()
    {
        File.Copy($"{_root}/wal_005/000000010000000000000003.lz4", $"{_root}/wal_005/000000010000000000000003.zst");
        RepositoryCheck check = await Patient.ExamineAsync(Patient.Settings(_root), RepositoryCheckName.DuplicateWal);
        Assert.Equal(CheckStatus.Warning, check.Status);
        Assert.Contains("1 WAL file is there under more than one extension, of 10 objects of the archive: '000000010000000000000003'", check.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ClustersThatFollowAreToldApartFromClustersThatTakeTurns()
    {
        async Task<RepositoryCheck> Clusters() => await Patient.ExamineAsync(Patient.Settings(_root), RepositoryCheckName.Clusters);
        Assert.Contains(WalgFixture.Named("lz4").SystemIdentifier.ToString(System.Globalization.CultureInfo.InvariantCulture), (await Clusters()).Message, StringComparison.Ordinal);

        string[] sentinels = [.. WalgFixture.Named("lz4").Backups.Select(b => $"{_root}/basebackups_005/{b}_backup_stop_sentinel.json")];
        string id = $"\"SystemIdentifier\":{WalgFixture.Named("lz4").SystemIdentifier}";
        Change(sentinels[0], id, "\"SystemIdentifier\":42");
        RepositoryCheck follow = await Clusters();
        Assert.True(follow.Status == CheckStatus.Warning, follow.Message);
        Assert.Contains("-NewLineage", follow.Recommendation, StringComparison.Ordinal);

        Write($"{_root}/pgbackup_v1/identity.json", "{\"SystemIdentifier\":42,\"PgVersion\":14,\"WalSegmentSize\":16777216,\"RecordedAt\":\"2026-01-01T00:00:00Z\"}");
        Write($"{_root}/pgbackup_v1/lineages/1.json", $"{{{id},\"PgVersion\":15,\"WalSegmentSize\":16777216,\"RecordedAt\":\"2026-01-02T00:00:00Z\"}}");
        Assert.Equal(CheckStatus.Passed, (await Clusters()).Status);

        Change(sentinels[2], id, "\"SystemIdentifier\":42");
        RepositoryCheck turns = await Clusters();
        Assert.True(turns.Status == CheckStatus.Failed, turns.Message);
    }

    [Fact]
    public async Task ADamagedIdentityIsAFailureOfOneCheck()
    {
        Write($"{_root}/pgbackup_v1/identity.json", "{");
        IReadOnlyList<RepositoryCheck> checks = await Patient.ExamineAsync(Patient.Settings(_root));
        Assert.Equal([RepositoryCheckName.Clusters], checks.Where(c => c.Status == CheckStatus.Failed).Select(c => c.Name));
    }

    private static void Change(string path, string from, string to)
    {
        string text = File.ReadAllText(path);
        Assert.Contains(from, text, StringComparison.Ordinal);
        File.WriteAllText(path, text.Replace(from, to, StringComparison.Ordinal));
    }

    private static string Write(string path, string content = "x")
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, Encoding.UTF8.GetBytes(content));
        return path;
    }

    private string[] Files() => [.. Directory.EnumerateFileSystemEntries(_root, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
}
