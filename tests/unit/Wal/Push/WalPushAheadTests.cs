using PgBackup.Codecs;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Wal.Native;
using PgBackup.Wal.Fetch;
using PgBackup.Wal.Push;

namespace PgBackup.Tests.Wal.Push;

/// <summary>What a push does ahead of the server, and what it believes later.</summary>
public sealed class WalPushAheadTests : IDisposable
{
    private readonly NativeLab _lab = new();

    public void Dispose() => _lab.Dispose();

    [Fact]
    public async Task AnObjectThatWasDeletedIsStoredAgain()
    {
        string[] names = _lab.Ready(3, 4);
        await PushAsync(names[0]);
        File.Delete(WalSamples.ObjectPath(_lab.Repository, names[1] + ".zst"));
        Assert.Equal(WalPushStatus.Stored, (await PushAsync(names[1])).Status);
        await HoldsAsync(names[1]);
    }

    [Fact]
    public async Task AnObjectOfAnotherSizeIsLookedAt()
    {
        string[] names = _lab.Ready(3, 4);
        await PushAsync(names[0]);
        string stored = WalSamples.ObjectPath(_lab.Repository, names[1] + ".zst");
        File.WriteAllBytes(stored, File.ReadAllBytes(stored)[..^100]);
        Assert.Equal(WalPushStatus.Replaced, (await PushAsync(names[1])).Status);
        await HoldsAsync(names[1]);
    }

    [Fact]
    public async Task AFileThatChangedIsNotBelieved()
    {
        string[] names = _lab.Ready(3, 4);
        await PushAsync(names[0]);
        DateTime time = File.GetLastWriteTimeUtc(_lab.PathOf(names[1]));
        _lab.Ready(names[1], WalSamples.SegmentBytes(names[1], seed: 99));
        // Neither size nor time give it away.
        File.SetLastWriteTimeUtc(_lab.PathOf(names[1]), time);
        Assert.Equal("WalContentConflict", (await Assert.ThrowsAsync<PgBackupException>(() => PushAsync(names[1]))).Id);
    }

    [Fact]
    public async Task AnotherFileOfTheSameNameIsNotBelieved()
    {
        string[] names = _lab.Ready(3, 4);
        await PushAsync(names[0]);
        string other = WalSamples.WriteFile(_lab.Folder.Path, names[1], WalSamples.SegmentBytes(names[1], seed: 99));
        File.SetLastWriteTimeUtc(other, File.GetLastWriteTimeUtc(_lab.PathOf(names[1])));
        File.Move(other, _lab.PathOf(names[1]), overwrite: true);
        Assert.Equal("WalContentConflict", (await Assert.ThrowsAsync<PgBackupException>(() => PushAsync(names[1]))).Id);
    }

    [Theory]
    [InlineData("empty")]
    [InlineData("torn")]
    [InlineData("garbage")]
    [InlineData("foreign")]
    [InlineData("forged")]
    [InlineData("folder")]
    [InlineData("newer")]
    public async Task ARememberedThingThatIsNotWholeIsNotBelieved(string what)
    {
        string[] names = _lab.Ready(3, 4, 5);
        await PushAsync(names[0]);
        string receipt = _lab.ReceiptOf(names[1]);
        string text = File.ReadAllText(receipt);
        byte[] noise = new byte[100];
        new Random(1).NextBytes(noise);
        File.Delete(receipt);
        if (what == "folder")
            Directory.CreateDirectory(receipt);
        else
        {
            File.WriteAllBytes(receipt, what switch
            {
                "empty" => [],
                "torn" => System.Text.Encoding.UTF8.GetBytes(text[..^1]),
                "garbage" => noise,
                "foreign" => File.ReadAllBytes(_lab.ReceiptOf(names[2])),
                "newer" => System.Text.Encoding.UTF8.GetBytes("2" + text[1..]),
                _ => System.Text.Encoding.UTF8.GetBytes(text.Replace(names[1], names[2], StringComparison.Ordinal)),
            });
        }
        // Nothing is there: who believes, lies.
        File.Delete(WalSamples.ObjectPath(_lab.Repository, names[1] + ".zst"));
        Assert.Equal(WalPushStatus.Stored, (await PushAsync(names[1])).Status);
        await HoldsAsync(names[1]);
    }

    [Fact]
    public async Task AnotherRepositoryIsNotBelieved()
    {
        string[] names = _lab.Ready(3, 4);
        await PushAsync(names[0]);
        string other = Directory.CreateDirectory(_lab.Folder.Combine("other")).FullName;
        RepositorySettings settings = _lab.Settings with { Storage = new DirectorySettings(other) };
        Assert.Equal(WalPushStatus.Stored, (await WalPushAhead.PushAsync(settings, _lab.PathOf(names[1]))).Status);
        Assert.Equal([names[1] + ".zst", names[0] + ".zst"], WalSamples.Names(BackupRepository.Open(settings)).OrderDescending());
    }

    [Fact]
    public async Task AFileThatFailsAheadIsNoFailureUntilItIsAskedFor()
    {
        string[] names = _lab.Ready(3, 4, 5);
        _lab.Ready(names[1], WalSamples.SegmentBytes(names[1], cluster: WalSamples.Cluster + 1));
        _lab.Ready(NativeLab.Name(6), new byte[1 << 20]);
        Assert.Equal(WalPushStatus.Stored, (await PushAsync(names[0])).Status);
        Assert.DoesNotContain(names[1], _lab.Remembered());
        Assert.Equal("ClusterIdentityMismatch", (await Assert.ThrowsAsync<PgBackupException>(() => PushAsync(names[1]))).Id);
        Assert.Equal("WalFileInvalid", (await Assert.ThrowsAsync<PgBackupException>(() => PushAsync(NativeLab.Name(6)))).Id);
        await PushAsync(names[2]);
        await HoldsAsync(names[2]);
    }

    [Fact]
    public async Task AForeignFileThatWaitsDoesNotTakeANewRepository()
    {
        for (int round = 0; round < 20; round++)
        {
            using var lab = new NativeLab();
            string[] names = lab.Ready(3, 4, 5, 6);
            foreach (string foreign in names[1..])
                lab.Ready(foreign, WalSamples.SegmentBytes(foreign, cluster: WalSamples.Cluster + 1));
            Assert.Equal(WalPushStatus.Stored, (await WalPushAhead.PushAsync(lab.Settings, lab.PathOf(names[0]))).Status);
            Assert.Equal([names[0] + ".zst"], lab.Stored());
        }
    }

    [Fact]
    public async Task WhenTheOneThatIsAskedForFailsOnlyWhatIsStoredIsRemembered()
    {
        string[] names = _lab.Ready(Enumerable.Range(3, 8));
        _lab.Ready(names[0], new byte[1 << 20]);
        Assert.Equal("WalFileInvalid", (await Assert.ThrowsAsync<PgBackupException>(() => PushAsync(names[0]))).Id);
        foreach (string name in _lab.Remembered())
            Assert.Contains(name + ".zst", _lab.Stored());
    }

    [Fact]
    public async Task NoMoreAreStoredAheadThanIsSet()
    {
        string[] names = _lab.Ready(Enumerable.Range(3, 12));
        RepositorySettings settings = _lab.Settings;
        settings = settings with { Wal = settings.Wal with { ReadAhead = 4 } };
        await WalPushAhead.PushAsync(settings, _lab.PathOf(names[0]));
        Assert.Equal(5, _lab.Stored().Length);
        settings = settings with { Wal = settings.Wal with { ReadAhead = 0 } };
        Assert.Equal(WalPushStatus.AlreadyStored, (await WalPushAhead.PushAsync(settings, _lab.PathOf(names[1]))).Status);
        Assert.Equal(5, _lab.Stored().Length);
    }

    [Fact]
    public async Task WhatNobodyWillAskForIsForgotten()
    {
        string[] names = _lab.Ready(Enumerable.Range(3, 4));
        await PushAsync(names[0]);
        foreach (string name in names)
            _lab.Done(name);
        string next = Assert.Single(_lab.Ready(9));
        await PushAsync(next);
        Assert.Empty(_lab.Remembered());
    }

    [Fact]
    public async Task WithoutAPlaceToRememberEveryFileIsStillStored()
    {
        string[] names = _lab.Ready(3, 4);
        File.WriteAllText(_lab.SpoolRoot, "");
        Assert.Equal(WalPushStatus.Stored, (await PushAsync(names[0])).Status);
        Assert.Equal([names[0] + ".zst"], _lab.Stored());
    }

    [Fact]
    public async Task OnAFullDiskNothingIsRememberedAndEveryFileIsStored()
    {
        await using SmallDisk disk = await SmallDisk.MountAsync(1);
        string[] names = _lab.Ready(3, 4, 5);
        RepositorySettings settings = _lab.Settings with { Wal = new WalSettings { SpoolFolder = disk.Path } };
        // Its folders are there, and no byte is left.
        await WalPushAhead.PushAsync(settings, _lab.PathOf(names[0]));
        foreach (string receipt in Directory.GetFiles(disk.Path, "0*", SearchOption.AllDirectories))
            File.Delete(receipt);
        Fill(disk.Path);
        foreach (string name in names)
            File.Delete(WalSamples.ObjectPath(_lab.Repository, name + ".zst"));

        foreach (string name in names)
            Assert.NotEqual(WalPushStatus.StoredAhead, (await WalPushAhead.PushAsync(settings, _lab.PathOf(name))).Status);
        foreach (string name in names)
            await HoldsAsync(name);
    }

    private static void Fill(string folder)
    {
        byte[] page = new byte[4096];
        using var full = new FileStream(Path.Combine(folder, "full"), FileMode.Create, FileAccess.Write, FileShare.None, 0);
        try
        {
            while (true)
                full.Write(page);
        }
        catch (IOException)
        {
            Assert.Equal(0, new DriveInfo(folder).AvailableFreeSpace);
        }
    }

    private Task<WalPushResult> PushAsync(string name) => WalPushAhead.PushAsync(_lab.Settings, _lab.PathOf(name));

    private async Task HoldsAsync(string name)
    {
        string target = _lab.Folder.Combine("held");
        await WalFetch.FetchAsync(_lab.Repository, name, target);
        Assert.Equal(File.ReadAllBytes(_lab.PathOf(name)), File.ReadAllBytes(target));
    }
}
