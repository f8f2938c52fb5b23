using FsCheck;
using FsCheck.Fluent;
using PgBackup.Copy;
using PgBackup.Repository;
using PgBackup.Tests.Restore;

namespace PgBackup.Tests.Copy;

public sealed class CopyPropertyTests
{
    /// <summary>
    /// Whatever backups, WAL, gaps and damage there are, and however often and of which parts a copy is made: what the destination lists is whole and the source's, byte for byte, and what
    /// is refused is what lacks something in the source.
    /// </summary>
    [Fact]
    public void WhatIsListedIsWholeAndWhatIsRefusedLacksSomething() =>
        Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed => CheckModelAsync(seed).GetAwaiter().GetResult()).Check(Config.QuickThrowOnFailure.WithMaxTest(40));

    /// <summary>The same on backups that stock wal-g took, with the planner of a restore as the judge.</summary>
    [Fact]
    public void EveryListedBackupOfWalGCanBeRestored() =>
        Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed => CheckFixtureAsync(seed).GetAwaiter().GetResult()).Check(Config.QuickThrowOnFailure.WithMaxTest(12));

    private static async Task CheckModelAsync(int seed)
    {
        var random = new Random(seed);
        using var lab = new CopyLab();
        await RepositoryEncryption.RecordAsync(lab.Source); // The objects are no real ones: they tell nothing of it by themselves.
        var whole = new Dictionary<string, bool>();
        (string Name, ulong Start)? parent = null;
        ulong place = 3;
        uint timeline = 1;
        for (int i = random.Next(1, 7); i > 0; i--)
        {
            bool isDelta = parent is not null && random.Next(2) == 0;
            ulong last = place + (ulong)random.Next(3);
            string name = CopyLab.PutBackup(lab.SourcePath, timeline, place, last, isDelta ? parent!.Value.Name : null, isDelta ? parent!.Value.Start : null, random: random);
            bool isWhole = !isDelta || whole[parent!.Value.Name];
            for (ulong number = place; number <= last; number++)
            {
                if (random.Next(12) == 0)
                    isWhole = false;
                else
                    CopyLab.PutWal(lab.SourcePath, CopyLab.Segment(timeline, number) + Extension(random));
            }
            if (random.Next(10) == 0)
            {
                File.Delete(Path.Combine(lab.SourcePath, $"basebackups_005/{name}/tar_partitions/pg_control.tar.zst"));
                isWhole = false;
            }
            whole[name] = isWhole;
            parent = (name, (place * 16 << 20) + 0x28);
            place = last + 1 + (ulong)random.Next(1, 3);
            if (random.Next(4) == 0)
            {
                timeline++;
                CopyLab.Put(lab.SourcePath, $"wal_005/{timeline:X8}.history.zst", [1, 2, 3]);
            }
        }

        for (int run = random.Next(1, 4); run > 0; run--)
        {
            string[] names = [.. whole.Keys.Where(_ => random.Next(2) == 0)];
            List<BackupCopyResult> results = await lab.CopyAsync(names, new CopyOptions { WithHistory = random.Next(2) == 0, ThrottleLimit = random.Next(1, 6) });
            Assert.All(results, r => Assert.Equal(whole[r.Name], r.Status is BackupCopyStatus.Copied or BackupCopyStatus.Present));
            HashSet<string> listed = [.. (await lab.TargetCatalogAsync()).Where(b => b.Status == BackupStatus.Complete).Select(b => b.Name)];
            Assert.All(names.Where(n => whole[n]), n => Assert.Contains(n, listed));
            Assert.All(listed, n => Assert.True(whole[n]));
            await lab.RequireRestorableAsync(plan: false);
            string[] archived = [.. CopyLab.Wal(lab.TargetPath).Where(w => w.Length >= 24).Select(w => w[..24])];
            foreach (ClusterBackup backup in (await lab.SourceCatalogAsync()).Where(b => listed.Contains(b.Name)))
            {
                for (ulong number = backup.StartLsn!.Value.Value >> 24; number <= (backup.FinishLsn!.Value.Value - 1) >> 24; number++)
                    Assert.Contains(CopyLab.Segment(backup.Timeline.Value, number), archived);
                if (backup.Timeline.Value > 1)
                    Assert.Contains($"{backup.Timeline.Value:X8}.history.zst", CopyLab.Wal(lab.TargetPath));
            }
            Damage(lab, random);
        }
    }

    /// <summary>What a run that was killed leaves: objects of a backup without its sentinel.</summary>
    private static void Damage(CopyLab lab, Random random)
    {
        string[] sentinels = [.. CopyLab.Files(lab.TargetPath, "basebackups_005").Where(f => f.EndsWith("_sentinel.json", StringComparison.Ordinal))];
        if (sentinels.Length == 0 || random.Next(2) == 0)
            return;
        string sentinel = sentinels[^1];
        File.Delete(Path.Combine(lab.TargetPath, sentinel));
        string part = Path.Combine(lab.TargetPath, sentinel.Replace("_backup_stop_sentinel.json", "/tar_partitions/part_001.tar.zst", StringComparison.Ordinal));
        // Of the same size, but of another run: without a journal it is not believed.
        byte[] content = File.ReadAllBytes(part);
        random.NextBytes(content);
        File.WriteAllBytes(part, content);
        File.WriteAllBytes(Path.Combine(Path.GetDirectoryName(part)!, "part_777.tar.zst"), content);
    }

    private static string Extension(Random random) => random.Next(4) switch { 0 => ".lz4", 1 => ".br", 2 => ".lzma", _ => ".zst" };

    private static async Task CheckFixtureAsync(int seed)
    {
        var random = new Random(seed);
        WalgFixture fixture = WalgFixture.Named(random.Next(2) == 0 ? "lz4" : "zstd-sodium");
        using CopyLab lab = CopyLab.Of(fixture);
        string[] wal = CopyLab.Wal(lab.SourcePath);
        if (random.Next(2) == 0)
            File.Delete(Path.Combine(lab.SourcePath, "wal_005", wal[random.Next(wal.Length)]));
        for (int run = 0; run < 2; run++)
        {
            string[] names = [.. fixture.Backups.Where(_ => random.Next(2) == 0)];
            await lab.CopyAsync(names, new CopyOptions { WithHistory = random.Next(2) == 0 });
            await lab.RequireRestorableAsync();
        }
    }
}
