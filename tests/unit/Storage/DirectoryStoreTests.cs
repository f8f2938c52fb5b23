using PgBackup.Errors;
using PgBackup.Storage;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Storage;

public sealed class DirectoryStoreTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly string _root;
    private readonly DirectoryStore _store;

    public DirectoryStoreTests()
    {
        _root = _folder.Combine("repository");
        _store = new DirectoryStore(_root);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task AnObjectAppearsAtTheCommitAndNotBefore()
    {
        await using (ObjectWriter writer = await _store.CreateAsync("a/b/object"))
        {
            await writer.WriteAsync("one"u8.ToArray());
            Assert.Null(await _store.StatAsync("a/b/object"));
            Assert.Empty(await KeysAsync());
            await writer.CommitAsync();
        }
        Assert.Equal(3, (await _store.StatAsync("a/b/object"))!.Value.Size);
        Assert.Equal(["a/b/object"], await KeysAsync());
    }

    [Fact]
    public async Task GivenUpItLeavesNeitherFileNorFolder()
    {
        await _store.PutAsync("keep", "x"u8.ToArray());
        await using (ObjectWriter writer = await _store.CreateAsync("a/b/object"))
            await writer.WriteAsync(new byte[100]);
        Assert.Equal([_root + "/keep"], Directory.GetFileSystemEntries(_root));
    }

    [Fact]
    public async Task AReplacementKeepsTheOldObjectUntilItIsWhole()
    {
        await _store.PutAsync("object", "old"u8.ToArray());
        await using (ObjectWriter writer = await _store.CreateAsync("object"))
        {
            await writer.WriteAsync("newer"u8.ToArray());
            Assert.Equal("old"u8.ToArray(), await _store.TryReadAllAsync("object"));
            await writer.CommitAsync();
        }
        Assert.Equal("newer"u8.ToArray(), await _store.TryReadAllAsync("object"));
    }

    [Fact]
    public async Task OfSixteenAtOnceExactlyOneWins()
    {
        for (int round = 0; round < 10; round++)
        {
            string key = $"folder-{round}/object";
            using var start = new Barrier(16);
            Task<int?>[] writers = [.. Enumerable.Range(0, 16).Select(number => Task.Factory.StartNew(() =>
            {
                start.SignalAndWait();
                try
                {
                    _store.PutAsync(key, new[] { (byte)number }, PutCondition.IfAbsent).GetAwaiter().GetResult();
                    return (int?)number;
                }
                catch (PgBackupException error) when (error.Id == "ObjectExists")
                {
                    return null;
                }
            }, TaskCreationOptions.LongRunning))];
            int? winner = Assert.Single(await Task.WhenAll(writers), w => w is not null);
            Assert.Equal([(byte)winner!], (await _store.TryReadAllAsync(key))!);
            Assert.Single(Directory.GetFiles(Path.Combine(_root, $"folder-{round}")));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("/etc/passwd")]
    [InlineData("../outside")]
    [InlineData("a/../../outside")]
    [InlineData("a//b")]
    [InlineData("a/./b")]
    [InlineData("a/")]
    [InlineData("a\\b")]
    [InlineData("a\nb")]
    [InlineData("a\0b")]
    public async Task KeysThatLeadAstrayAreRefused(string key)
    {
        foreach (Func<Task> use in (Func<Task>[])
            [() => _store.StatAsync(key), () => _store.OpenReadAsync(key), () => _store.CreateAsync(key), () => _store.DeleteAsync([key]), () => _store.CopyAsync("a", key)])
            Assert.Contains((await Assert.ThrowsAsync<PgBackupException>(use)).Id, (string[])["ObjectKeyInvalid", "RepositoryNotFound"]);
    }

    [Fact]
    public async Task FilesThatNoKeyCanNameDoNotDisturbAListing()
    {
        await _store.PutAsync("a/good", "x"u8.ToArray());
        foreach (string name in (string[])["line\nbreak", "back\\slash", "tab\t"])
            await File.WriteAllTextAsync(Path.Combine(_root, "a", name), "x");
        Assert.Equal(["a/good"], await KeysAsync());
    }

    [Fact]
    public async Task UnfinishedObjectsAreHiddenUntilTheyAreRemoved()
    {
        await _store.PutAsync("a/good", "x"u8.ToArray());
        string[] left = [Path.Combine(_root, "b", "c", "part.tmp.20260101T000000Z-0a1b2c3d"), Path.Combine(_root, "a", "part.tmp.20260101T000000Z-ffffffff")];
        foreach (string path in left)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllTextAsync(path, "half");
        }
        Assert.Equal(["a/good"], await KeysAsync());
        Assert.Equal(1, await _store.RemoveUnfinishedAsync("b/"));
        Assert.False(Directory.Exists(Path.Combine(_root, "b")));
        Assert.True(File.Exists(left[1])); // Another folder, where somebody may be writing.
        Assert.Equal(0, await _store.RemoveUnfinishedAsync("nothing/"));
    }

    [Fact]
    public async Task ListingGoesOnWhileObjectsComeAndGo()
    {
        using var stop = new CancellationTokenSource();
        Task churn = Task.Run(async () =>
        {
            for (int i = 0; !stop.IsCancellationRequested; i++)
            {
                await _store.PutAsync($"a/{i % 50}/object", "x"u8.ToArray(), cancellationToken: CancellationToken.None);
                await _store.DeleteAsync([$"a/{(i + 25) % 50}/object"], CancellationToken.None);
            }
        });
        await _store.PutAsync("a/stays", "x"u8.ToArray());
        for (int i = 0; i < 300; i++)
        {
            Assert.Contains("a/stays", await KeysAsync());
            await foreach (string _ in _store.ListFoldersAsync("a/"))
            {
            }
        }
        await stop.CancelAsync();
        await churn;
    }

    [Fact]
    public async Task WritersAndDeletersOfOneFolderDoNotTripOverItsRemoval()
    {
        Task[] workers = [.. Enumerable.Range(0, 4).Select(worker => Task.Run(async () =>
        {
            for (int i = 0; i < 200; i++)
            {
                await _store.PutAsync($"deep/er/object-{worker}", "x"u8.ToArray());
                await _store.DeleteAsync([$"deep/er/object-{worker}"]);
            }
        }))];
        await Task.WhenAll(workers);
        Assert.Empty(await KeysAsync());
    }

    [Fact]
    public async Task WithoutItsParentFolderThereIsNoRepository()
    {
        var lost = new DirectoryStore(_folder.Combine("not", "mounted"));
        Assert.Equal("RepositoryNotFound", (await Assert.ThrowsAsync<PgBackupException>(() => lost.PutAsync("a", "x"u8.ToArray()))).Id);
        Assert.Equal("RepositoryNotFound", (await Assert.ThrowsAsync<PgBackupException>(() => lost.OpenReadAsync("a"))).Id);
        Assert.False(Directory.Exists(_folder.Combine("not")));
    }

    [Fact]
    public async Task ADiskThatCannotBeReadIsTheStoresFailure()
    {
        // The first page of a process's memory: a file that opens, and whose bytes cannot be read.
        var store = new DirectoryStore("/proc/self");
        await using Stream stream = await store.OpenReadAsync("mem");
        Assert.Equal("StorageReadFailed", (await Assert.ThrowsAsync<PgBackupException>(async () => await stream.ReadExactlyAsync(new byte[100]))).Id);
        Assert.Equal("StorageReadFailed", Assert.Throws<PgBackupException>(() => stream.ReadByte()).Id);
    }

    [Fact]
    public async Task AFullDiskIsTheStoresFailureAndLeavesNothing()
    {
        await using SmallDisk disk = await SmallDisk.MountAsync(megabytes: 1);
        var store = new DirectoryStore(disk.Path);
        Assert.Equal("StorageWriteFailed", (await Assert.ThrowsAsync<PgBackupException>(() => store.PutAsync("a/object", new byte[4 << 20]))).Id);
        Assert.Empty(Directory.GetFileSystemEntries(disk.Path));
    }

    [Fact]
    public async Task RangesAreThoseAskedFor()
    {
        await _store.PutAsync("object", "0123456789"u8.ToArray());
        foreach ((long offset, long? length, string expected) in ((long, long?, string)[])
            [(0, null, "0123456789"), (3, null, "3456789"), (3, 4, "3456"), (8, 100, "89"), (10, null, ""), (50, 5, ""), (0, 0, "")])
        {
            using var reader = new StreamReader(await _store.OpenReadAsync("object", offset, length));
            Assert.Equal(expected, await reader.ReadToEndAsync());
        }
    }

    [Fact]
    public async Task WhatRootWritesBelongsToTheFoldersOwner()
    {
        Assert.True(Environment.IsPrivilegedProcess, "This test gives files away; run it as root.");
        ServerAccount.Current.CreateFolder(_root);
        await _store.PutAsync("wal_005/deeper/object", "x"u8.ToArray());
        foreach (string path in (string[])["wal_005", "wal_005/deeper", "wal_005/deeper/object"])
            (await ServerAccount.Current.RunAsync("test", ["-O", Path.Combine(_root, path)])).EnsureSuccess();
    }

    private async Task<List<string>> KeysAsync()
    {
        var keys = new List<string>();
        await foreach (StoredObject item in _store.ListAsync("", recursive: true))
            keys.Add(item.Key);
        return keys;
    }
}
