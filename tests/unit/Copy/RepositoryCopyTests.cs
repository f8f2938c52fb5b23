using PgBackup.Codecs;
using PgBackup.Copy;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Tests.Restore;
using PgBackup.Tests.Wal;

namespace PgBackup.Tests.Copy;

public sealed class RepositoryCopyTests
{
    [Theory]
    [InlineData("lz4")]
    [InlineData("zstd-sodium")]
    public async Task AChainOfWalGGoesOverWithWhatItsRestoreNeeds(string codec)
    {
        WalgFixture fixture = WalgFixture.Named(codec);
        using CopyLab lab = CopyLab.Of(fixture);
        List<BackupCopyResult> results = await lab.CopyAsync([fixture.Backups[2]]);
        Assert.Equal(fixture.Backups, results.Select(r => r.Name));
        Assert.All(results, r => Assert.Equal(BackupCopyStatus.Copied, r.Status));
        await lab.RequireRestorableAsync();
        Assert.Equal(fixture.Backups, (await lab.TargetCatalogAsync()).Select(b => b.Name));
        string[] wal = CopyLab.Wal(lab.TargetPath);
        Assert.DoesNotContain(wal, w => w.StartsWith("000000010000000000000007", StringComparison.Ordinal));
        Assert.Contains(wal, w => w.Contains(".backup.", StringComparison.Ordinal));
        Assert.Equal(CopyLab.Files(lab.TargetPath, "").Length, results.Sum(r => r.ObjectCount));
        Assert.Empty(CopyLab.Files(lab.TargetPath, CopyJournal.Folder));
        // The order by which wal-g goes is kept.
        DateTime[] ages = [.. fixture.Backups.Select(b => File.GetLastWriteTimeUtc(Path.Combine(lab.TargetPath, $"basebackups_005/{b}_backup_stop_sentinel.json")))];
        Assert.True(ages[0] < ages[1] && ages[1] < ages[2]);

        results = await lab.CopyAsync();
        Assert.All(results, r => Assert.Equal((BackupCopyStatus.Present, 0), (r.Status, r.ObjectCount)));
    }

    [Fact]
    public async Task WithoutTheKeyAnEncryptedRepositoryIsCopiedAsWell()
    {
        WalgFixture fixture = WalgFixture.Named("zstd-sodium");
        using CopyLab lab = CopyLab.Of(fixture);
        BackupRepository source = lab.Source, target = lab.Target;
        (lab.Source, lab.Target) = (source with { Key = null }, target with { Key = null });
        Assert.All(await lab.CopyAsync(), r => Assert.Equal(BackupCopyStatus.Copied, r.Status));
        (lab.Source, lab.Target) = (source, target);
        await lab.RequireRestorableAsync();
    }

    [Fact]
    public async Task WithoutTheKeyTheSecondCopyIsKnownByWhatTheFirstOneLeft()
    {
        WalgFixture fixture = WalgFixture.Named("zstd-sodium");
        using CopyLab lab = CopyLab.Of(fixture);
        (lab.Source, lab.Target) = (lab.Source with { Key = null }, lab.Target with { Key = null });
        await lab.CopyAsync([fixture.Backups[0]]);
        Assert.Equal(BackupCopyStatus.Copied, (await lab.CopyAsync([fixture.Backups[1]]))[^1].Status);
    }

    [Fact]
    public async Task PlainAndEncryptedObjectsAndThoseOfTwoKeysDoNotComeTogether()
    {
        WalgFixture encrypted = WalgFixture.Named("zstd-sodium"), plain = WalgFixture.Named("lz4");
        using CopyLab lab = CopyLab.Of(encrypted);
        BackupRepository source = lab.Source;
        await lab.CopyAsync([encrypted.Backups[0]]);
        // The plain one is of another cluster, too; that alone is not what refuses it.
        lab.Source = plain.Open();
        await CopyLab.RefusedAsync(() => lab.CopyAsync(null, new CopyOptions { NewLineage = true }), "EncryptionMismatch");
        await CopyLab.RefusedAsync(() => Reversed(lab).CopyAsync(null, new CopyOptions { NewLineage = true }), "EncryptionMismatch");

        // Records of two keys, neither of which is at hand.
        lab.Source = source with { Key = null };
        lab.Target = new BackupRepository(new DirectoryStore(lab.Folder.Combine("other")), null);
        await RepositoryEncryption.RecordAsync(source);
        await RepositoryEncryption.RecordAsync(lab.Target with { Key = EncryptionKey.FromSettings(new string('7', 64), KeyTransform.Hex) });
        PgBackupException error = await CopyLab.RefusedAsync(() => lab.CopyAsync(), "EncryptionMismatch");
        Assert.Equal(ExitCodes.WrongKey, error.ExitCode);
        Assert.Equal([RepositoryEncryption.DocumentKey], CopyLab.Files(lab.Target.Location, ""));

        // Into an empty one the record goes first, byte for byte.
        lab.Target = new BackupRepository(new DirectoryStore(lab.Folder.Combine("third")), null);
        await lab.CopyAsync();
        Assert.Equal(
            await File.ReadAllBytesAsync(Path.Combine(lab.SourcePath, RepositoryEncryption.DocumentKey)), await File.ReadAllBytesAsync(Path.Combine(lab.Target.Location, RepositoryEncryption.DocumentKey)));
    }

    [Fact]
    public async Task TwoForeignEncryptedRepositoriesAreHeldAgainstTheKeyOrRefused()
    {
        WalgFixture fixture = WalgFixture.Named("zstd-sodium");
        using CopyLab lab = CopyLab.Of(fixture);
        // wal-g archived into both, each with its own ciphertexts.
        Directory.CreateDirectory(Path.Combine(lab.TargetPath, "wal_005"));
        await using (Stream decoded = await lab.Source.OpenDecodedAsync("wal_005/000000010000000000000007.zst"))
            await ObjectEncoding.PutEncodedAsync(lab.Target, "wal_005/000000010000000000000007.zst", CompressionMethod.Zstd, (s, token) => decoded.CopyToAsync(s, token));
        BackupRepository source = lab.Source, target = lab.Target;
        (lab.Source, lab.Target) = (source with { Key = null }, target with { Key = null });
        PgBackupException error = await CopyLab.RefusedAsync(() => lab.CopyAsync(), "EncryptionMismatch");
        Assert.Contains("key", error.Hint, StringComparison.Ordinal);
        lab.Source = source;
        Assert.All(await lab.CopyAsync(), r => Assert.Equal(BackupCopyStatus.Copied, r.Status));
    }

    [Fact]
    public async Task TheHistoryReachesToTheNewestSegment()
    {
        WalgFixture fixture = WalgFixture.Named("lz4");
        using CopyLab lab = CopyLab.Of(fixture);
        CopyLab.PutWal(lab.SourcePath, "000000010000000000000008.partial.lz4");
        CopyLab.PutWal(lab.SourcePath, "000000020000000000000008.zst");
        CopyLab.PutWal(lab.SourcePath, "00000002.history.lz4");
        CopyLab.PutWal(lab.SourcePath, "000000010000000000000001.lz4");
        CopyLab.PutWal(lab.SourcePath, "000000010000000000000005_delta.lz4");
        CopyLab.PutWal(lab.SourcePath, "000000010000000000000005.");
        List<BackupCopyResult> results = await lab.CopyAsync(null, new CopyOptions { WithHistory = true });
        Assert.All(results, r => Assert.Equal(BackupCopyStatus.Copied, r.Status));
        Assert.Equal(CopyLab.Wal(lab.SourcePath).Where(w => !w.StartsWith("000000010000000000000001", StringComparison.Ordinal)), CopyLab.Wal(lab.TargetPath));
        results = await lab.CopyAsync(null, new CopyOptions { WithHistory = true });
        Assert.All(results, r => Assert.Equal(0, r.ObjectCount));
        CopyLab.PutWal(lab.SourcePath, "000000020000000000000009.zst");
        results = await lab.CopyAsync([fixture.Backups[2]], new CopyOptions { WithHistory = true });
        Assert.Equal([0, 0, 1], results.Select(r => r.ObjectCount));
    }

    [Theory]
    [InlineData("000000010000000000000002.lz4", 0)]
    [InlineData("000000010000000000000004.lz4", 1)]
    [InlineData("000000010000000000000006.lz4", 2)]
    public async Task AGapInTheWalRefusesTheBackupAndItsDeltasAlone(string segment, int refusedFrom)
    {
        WalgFixture fixture = WalgFixture.Named("lz4");
        using CopyLab lab = CopyLab.Of(fixture);
        File.Delete(Path.Combine(lab.SourcePath, "wal_005", segment));
        List<BackupCopyResult> results = await lab.CopyAsync();
        Assert.Equal(3, results.Count);
        BackupCopyResult refused = results.Single(r => r.Name == fixture.Backups[refusedFrom]);
        Assert.Equal((BackupCopyStatus.Failed, "WalGapDetected"), (refused.Status, refused.Failure?.Id));
        Assert.Contains(segment[..24], refused.Error, StringComparison.Ordinal);
        Assert.All(results.Where(r => fixture.Backups.ToList().IndexOf(r.Name) > refusedFrom), r => Assert.Equal("ChainBroken", r.Failure?.Id));
        Assert.Equal(fixture.Backups.Take(refusedFrom), (await lab.TargetCatalogAsync()).Select(b => b.Name));
        Assert.DoesNotContain(CopyLab.Files(lab.TargetPath, ""), f => f.Contains(fixture.Backups[refusedFrom] + "/", StringComparison.Ordinal));
        await lab.RequireRestorableAsync(refusedFrom > 0);
    }

    [Fact]
    public async Task AMissingPartOrAShortPlainSegmentRefusesBeforeTheFirstByte()
    {
        WalgFixture fixture = WalgFixture.Named("lz4");
        using CopyLab lab = CopyLab.Of(fixture);
        string part = Path.Combine(lab.SourcePath, $"basebackups_005/{fixture.Backups[0]}/tar_partitions/part_001.tar.lz4");
        File.Delete(part);
        List<BackupCopyResult> results = await lab.CopyAsync();
        Assert.Equal("ObjectMissing", results.Single(r => r.Name == fixture.Backups[0]).Failure?.Id);
        Assert.False(Directory.Exists(lab.TargetPath));

        using var other = new CopyLab();
        string name = CopyLab.PutBackup(other.SourcePath, 1, 5, 5);
        CopyLab.PutWal(other.SourcePath, CopyLab.Segment(1, 5), (16 << 20) - 1);
        Assert.Equal("WalGapDetected", Assert.Single(await other.CopyAsync([name])).Failure?.Id);
        CopyLab.PutWal(other.SourcePath, CopyLab.Segment(1, 5) + ".", 16 << 20);
        Assert.Equal(BackupCopyStatus.Copied, Assert.Single(await other.CopyAsync([name])).Status);
    }

    [Fact]
    public async Task OneBackupThatVanishesWhileItIsCopiedIsNotPublished()
    {
        using var lab = new CopyLab();
        string[] names = [CopyLab.PutBackup(lab.SourcePath, 1, 5, 5), CopyLab.PutBackup(lab.SourcePath, 1, 7, 7)];
        CopyLab.PutWal(lab.SourcePath, CopyLab.Segment(1, 5) + ".zst");
        CopyLab.PutWal(lab.SourcePath, CopyLab.Segment(1, 7) + ".zst");
        await using (RepositoryCopy copy = await lab.PrepareAsync())
        {
            File.Delete(Path.Combine(lab.SourcePath, $"basebackups_005/{names[0]}_backup_stop_sentinel.json"));
            List<BackupCopyResult> results = await copy.RunAsync().ToListAsync();
            Assert.Equal([BackupCopyStatus.Failed, BackupCopyStatus.Copied], results.Select(r => r.Status));
            Assert.Equal("ObjectChanged", results[0].Failure?.Id);
        }
        Assert.Equal(names[1], Assert.Single(await lab.TargetCatalogAsync(), b => b.Status == BackupStatus.Complete).Name);

        string third = CopyLab.PutBackup(lab.SourcePath, 1, 8, 8);
        CopyLab.PutWal(lab.SourcePath, CopyLab.Segment(1, 8) + ".zst");
        await using RepositoryCopy second = await lab.PrepareAsync([third]);
        File.Delete(Path.Combine(lab.SourcePath, $"basebackups_005/{third}/tar_partitions/part_003.tar.zst"));
        Assert.Equal("ObjectNotFound", Assert.Single(await second.RunAsync().ToListAsync()).Failure?.Id);
        Assert.DoesNotContain(await lab.TargetCatalogAsync(), b => b.Name == third && b.Status == BackupStatus.Complete);
    }

    [Fact]
    public async Task WalOfOneNameIsBelievedByItsSizeAndElseComparedByContent()
    {
        WalgFixture fixture = WalgFixture.Named("lz4");
        using CopyLab lab = CopyLab.Of(fixture);
        const string Segment = "000000010000000000000002";
        // The same segment without compression: the same file in another spelling.
        await using (Stream decoded = await lab.Source.OpenDecodedAsync($"wal_005/{Segment}.lz4"))
        {
            Directory.CreateDirectory(Path.Combine(lab.TargetPath, "wal_005"));
            await using FileStream plain = File.Create(Path.Combine(lab.TargetPath, "wal_005", Segment));
            await decoded.CopyToAsync(plain);
        }
        Assert.Equal(BackupCopyStatus.Copied, Assert.Single(await lab.CopyAsync([fixture.Backups[0]])).Status);
        Assert.False(File.Exists(Path.Combine(lab.TargetPath, "wal_005", Segment + ".lz4")));

        // The same name with another size, which decodes to something else.
        File.Copy(Path.Combine(lab.SourcePath, "wal_005/000000010000000000000005.lz4"), Path.Combine(lab.TargetPath, "wal_005/000000010000000000000004.lz4"));
        List<BackupCopyResult> results = await lab.CopyAsync([fixture.Backups[1]]);
        Assert.Equal("WalContentConflict", results.Single(r => r.Name == fixture.Backups[1]).Failure?.Id);
        Assert.Equal(fixture.Backups[0], Assert.Single(await lab.TargetCatalogAsync()).Name);
    }

    [Fact]
    public async Task OneArchivedBesideTheCopyIsNeverReplaced()
    {
        using var lab = new CopyLab();
        CopyLab.PutBackup(lab.SourcePath, 1, 5, 5);
        string wal = CopyLab.Segment(1, 5) + ".lz4";
        CopyLab.PutWal(lab.SourcePath, wal);
        await using RepositoryCopy copy = await lab.PrepareAsync();
        CopyLab.PutWal(lab.TargetPath, wal, 17);
        byte[] theirs = await File.ReadAllBytesAsync(Path.Combine(lab.TargetPath, "wal_005", wal));
        Assert.Equal("WalContentConflict", Assert.Single(await copy.RunAsync().ToListAsync()).Failure?.Id);
        Assert.Equal(theirs, await File.ReadAllBytesAsync(Path.Combine(lab.TargetPath, "wal_005", wal)));
    }

    [Fact]
    public async Task AnUncompressedSegmentIsNotBelievedForItsSize()
    {
        using var lab = new CopyLab();
        CopyLab.PutBackup(lab.SourcePath, 1, 5, 5);
        byte[] segment = WalSamples.SegmentBytes(CopyLab.Segment(1, 5), 16 << 20);
        CopyLab.Put(lab.SourcePath, "wal_005/" + CopyLab.Segment(1, 5), segment);
        byte[] other = (byte[])segment.Clone();
        other[^1] ^= 1;
        CopyLab.Put(lab.TargetPath, "wal_005/" + CopyLab.Segment(1, 5), other);
        Assert.Equal("WalContentConflict", Assert.Single(await lab.CopyAsync()).Failure?.Id);
        CopyLab.Put(lab.TargetPath, "wal_005/" + CopyLab.Segment(1, 5), segment);
        Assert.Equal(BackupCopyStatus.Copied, Assert.Single(await lab.CopyAsync()).Status);
    }

    [Fact]
    public async Task AHistoryFileOfTheSameSizeAndOtherWordsIsAConflict()
    {
        using var lab = new CopyLab();
        CopyLab.PutBackup(lab.SourcePath, 2, 5, 5);
        CopyLab.PutWal(lab.SourcePath, CopyLab.Segment(2, 5) + ".lz4");
        CopyLab.Put(lab.SourcePath, "wal_005/00000002.history", "1\t0/3000000\tno recovery target specified\n"u8.ToArray());
        CopyLab.Put(lab.TargetPath, "wal_005/00000002.history", "1\t0/4000000\tno recovery target specified\n"u8.ToArray());
        Assert.Equal("WalContentConflict", Assert.Single(await lab.CopyAsync()).Failure?.Id);
        File.Delete(Path.Combine(lab.TargetPath, "wal_005/00000002.history"));
        Assert.Equal(BackupCopyStatus.Copied, Assert.Single(await lab.CopyAsync()).Status);
        Assert.Equal(CopyLab.Wal(lab.SourcePath), CopyLab.Wal(lab.TargetPath));
    }

    [Fact]
    public async Task ADestinationOfAnotherClusterIsRefused()
    {
        using var lab = new CopyLab();
        CopyLab.PutBackup(lab.SourcePath, 1, 5, 5, cluster: 77);
        CopyLab.PutWal(lab.SourcePath, CopyLab.Segment(1, 5) + ".zst");
        await RepositoryIdentity.RequireAsync(lab.Source, new(77, 15, 16 << 20, DateTimeOffset.UnixEpoch), false);
        await RepositoryIdentity.RequireAsync(lab.Target, new(88, 15, 16 << 20, DateTimeOffset.UnixEpoch), false);
        await CopyLab.RefusedAsync(() => lab.CopyAsync(), "ClusterIdentityMismatch");
        Assert.Equal(["pgbackup_v1/identity.json"], CopyLab.Files(lab.TargetPath, ""));
        Assert.Equal(BackupCopyStatus.Copied, Assert.Single(await lab.CopyAsync(null, new CopyOptions { NewLineage = true })).Status);
        Assert.Equal([88UL, 77UL], (await RepositoryIdentity.ListAsync(lab.Target)).Select(i => i.SystemIdentifier));
    }

    [Fact]
    public async Task AnEmptyDestinationTakesOverTheIdentity()
    {
        using var lab = new CopyLab();
        await RepositoryIdentity.RequireAsync(lab.Source, new(77, 15, 16 << 20, DateTimeOffset.UnixEpoch), false);
        await RepositoryIdentity.RequireAsync(lab.Source, new(99, 16, 16 << 20, DateTimeOffset.UnixEpoch), true);
        CopyLab.PutBackup(lab.SourcePath, 1, 5, 5, cluster: 77);
        CopyLab.PutWal(lab.SourcePath, CopyLab.Segment(1, 5) + ".zst");
        CopyLab.PutBackup(lab.SourcePath, 1, 6, 6, cluster: 99);
        CopyLab.PutWal(lab.SourcePath, CopyLab.Segment(1, 6) + ".zst");
        await lab.CopyAsync();
        foreach (string file in (string[])["pgbackup_v1/identity.json", "pgbackup_v1/lineages/99.json"])
            Assert.Equal(await File.ReadAllBytesAsync(Path.Combine(lab.SourcePath, file)), await File.ReadAllBytesAsync(Path.Combine(lab.TargetPath, file)));
    }

    [Fact]
    public async Task AnotherBackupOfTheSameNameIsLeftAsItIs()
    {
        using var lab = new CopyLab();
        string name = CopyLab.PutBackup(lab.SourcePath, 1, 5, 5);
        CopyLab.PutWal(lab.SourcePath, CopyLab.Segment(1, 5) + ".zst");
        await lab.CopyAsync();
        string sentinel = Path.Combine(lab.TargetPath, $"basebackups_005/{name}_backup_stop_sentinel.json");
        string theirs = (await File.ReadAllTextAsync(sentinel)).Replace("150000", "160000", StringComparison.Ordinal);
        await File.WriteAllTextAsync(sentinel, theirs);
        Assert.Equal("BackupNameTaken", Assert.Single(await lab.CopyAsync()).Failure?.Id);
        Assert.Equal(theirs, await File.ReadAllTextAsync(sentinel));
    }

    [Fact]
    public async Task ACopyThatLostAnObjectIsMendedAndKeepsItsOwnMarks()
    {
        using var lab = new CopyLab();
        string name = CopyLab.PutBackup(lab.SourcePath, 1, 5, 5);
        CopyLab.PutWal(lab.SourcePath, CopyLab.Segment(1, 5) + ".zst");
        await lab.CopyAsync();
        File.Delete(Path.Combine(lab.TargetPath, $"basebackups_005/{name}/tar_partitions/part_003.tar.zst"));
        string marks = Path.Combine(lab.TargetPath, $"basebackups_005/{name}/metadata.json");
        await File.WriteAllTextAsync(marks, """{"is_permanent":true}""");
        BackupCopyResult result = Assert.Single(await lab.CopyAsync());
        Assert.Equal((BackupCopyStatus.Copied, 1), (result.Status, result.ObjectCount));
        Assert.True(Assert.Single(await lab.TargetCatalogAsync()).IsPermanent);
    }

    [Fact]
    public async Task TwoCopiesAtOnceIntoOneDestinationAreOneTooMany()
    {
        using var lab = new CopyLab();
        CopyLab.PutBackup(lab.SourcePath, 1, 5, 5);
        CopyLab.PutWal(lab.SourcePath, CopyLab.Segment(1, 5) + ".zst");
        await using (BackupLease lease = await BackupLease.AcquireForCopyAsync(lab.Target, "other"))
        {
            PgBackupException error = await CopyLab.RefusedAsync(() => lab.CopyAsync(), "CopyInProgress");
            Assert.Equal(ExitCodes.Locked, error.ExitCode);
            // A backup may run beside it.
            await using BackupLease backup = await BackupLease.AcquireAsync(lab.Target, "base");
        }
        Assert.Equal(BackupCopyStatus.Copied, Assert.Single(await lab.CopyAsync()).Status);
        Assert.Empty(CopyLab.Files(lab.TargetPath, "pgbackup_v1"));
    }

    [Fact]
    public async Task ADestinationWithANewerBackupIsWarnedOf()
    {
        using var lab = new CopyLab();
        string old = CopyLab.PutBackup(lab.SourcePath, 1, 5, 5), recent = CopyLab.PutBackup(lab.SourcePath, 1, 7, 7);
        CopyLab.PutWal(lab.SourcePath, CopyLab.Segment(1, 5) + ".zst");
        CopyLab.PutWal(lab.SourcePath, CopyLab.Segment(1, 7) + ".zst");
        await lab.CopyAsync([recent]);
        Assert.Empty(lab.Warnings);
        await lab.CopyAsync([old]);
        Assert.Contains("LATEST", Assert.Single(lab.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ARepositoryIsNotCopiedOntoItself()
    {
        using CopyLab lab = CopyLab.Of(WalgFixture.Named("lz4"));
        lab.Target = lab.Source;
        await CopyLab.RefusedAsync(() => lab.CopyAsync(), "CopyOntoItself");
    }

    [Fact]
    public async Task AGapBehindTheBackupsIsWarnedOfAndTheRestGoesOver()
    {
        using var lab = new CopyLab();
        CopyLab.PutBackup(lab.SourcePath, 1, 5, 5);
        foreach (ulong number in (ulong[])[5, 6, 8])
            CopyLab.PutWal(lab.SourcePath, CopyLab.Segment(1, number) + ".zst");
        BackupCopyResult result = Assert.Single(await lab.CopyAsync(null, new CopyOptions { WithHistory = true }));
        Assert.Equal((BackupCopyStatus.Copied, 3), (result.Status, result.WalObjectCount));
        Assert.Contains(CopyLab.Segment(1, 7), Assert.Single(lab.Warnings), StringComparison.Ordinal);
        Assert.Equal(3, CopyLab.Wal(lab.TargetPath).Length);
    }

    /// <summary>The same two, the other way round, into a copy of the plain one.</summary>
    private static CopyLab Reversed(CopyLab lab)
    {
        var other = new CopyLab(new BackupRepository(lab.Target.Store, lab.Target.Key));
        foreach (string file in CopyLab.Files(lab.SourcePath, ""))
            CopyLab.Put(other.TargetPath, file, File.ReadAllBytes(Path.Combine(lab.SourcePath, file)));
        return other;
    }
}
