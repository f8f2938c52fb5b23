using PgBackup.Errors;
using PgBackup.Storage;

namespace PgBackup.Tests.Storage;

/// <summary>What <see cref="IObjectStore"/> promises, whatever is behind it.</summary>
public abstract class ObjectStoreContract : IAsyncLifetime
{
    /// <summary>The smallest part that S3 allows: the bounds of parts are met with the least bytes.</summary>
    protected const int PartSize = 5 << 20;

    private IObjectStore? _store;

    /// <summary>An empty store.</summary>
    protected IObjectStore Store => _store!;

    /// <summary>The kind that the store says it is.</summary>
    protected abstract string Kind { get; }

    /// <summary>Whether of many conditional puts at once exactly one succeeds; where the store itself has no such thing, at least one does.</summary>
    protected virtual bool HasConditionalPut => true;

    /// <summary>How many objects are many: more than a page of a listing, where that does not take minutes.</summary>
    protected virtual int Many => 1_100;

    public async Task InitializeAsync() => _store = await OpenAsync();

    public virtual Task DisposeAsync()
    {
        (_store as IDisposable)?.Dispose();
        return Task.CompletedTask;
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(PartSize - 1)]
    [InlineData(PartSize)]
    [InlineData(PartSize + 1)]
    [InlineData(PartSize * 3)]
    public async Task WhatIsPutIsWhatIsRead(int size)
    {
        byte[] content = StoreContent.Bytes(size);
        await using (ObjectWriter writer = await Store.CreateAsync("folder/object"))
        {
            await writer.WriteAsync(content, 700_001);
            await writer.CommitAsync();
        }
        Assert.Equal(size, (await Store.StatAsync("folder/object"))!.Value.Size);
        Assert.Equal(StoreContent.Digest(content), StoreContent.Digest(await Store.ReadAsync("folder/object")));
        Assert.Equal(["folder/object"], await Store.KeysAsync());
        Assert.Empty(await Store.UnfinishedAsync());
    }

    [Fact]
    public async Task AHundredMegabytesAreReadAsTheyWerePut()
    {
        byte[] content = StoreContent.Bytes(100_000_000);
        await Store.PutAsync("large", new MemoryStream(content));
        await using Stream source = await Store.OpenReadAsync("large");
        Assert.Equal(StoreContent.Digest(content), await StoreContent.DigestAsync(source));
        foreach ((long offset, long? length) in ((long, long?)[])[(0, 10), (PartSize - 3, 7), (99_999_999, 100), (12_345_678, 34_567_890), (90_000_000, null)])
        {
            byte[] expected = content[(int)offset..(int)Math.Min(content.Length, offset + (length ?? content.Length))];
            Assert.Equal(StoreContent.Digest(expected), StoreContent.Digest(await Store.ReadAsync("large", offset, length)));
        }
    }

    [Fact]
    public async Task RangesAreThoseAskedFor()
    {
        await Store.PutAsync("object", "0123456789"u8.ToArray());
        foreach ((long offset, long? length, string expected) in ((long, long?, string)[])
            [(0, null, "0123456789"), (3, null, "3456789"), (3, 4, "3456"), (8, 100, "89"), (10, null, ""), (50, 5, ""), (0, 0, "")])
            Assert.Equal(expected, System.Text.Encoding.ASCII.GetString(await Store.ReadAsync("object", offset, length)));
    }

    [Theory]
    [InlineData("a b/with + and % and %41 and & = ?#")]
    [InlineData("ümläut/日本語/𝄞 🐘")]
    [InlineData("trailing./dots.../...a")]
    [InlineData("quotes/'\"<>`~!@$^*()[]{}|;:,")]
    [InlineData("wal_005/000000010000000000000001.zst")]
    public async Task AnyKeyThatIsOneIsKept(string key)
    {
        byte[] content = StoreContent.Bytes(100, seed: key.Length);
        await Store.PutAsync(key, content);
        await Store.CopyAsync(key, $"{key}-copy");
        Assert.Equal([key, $"{key}-copy"], await Store.KeysAsync());
        Assert.Equal([key, $"{key}-copy"], await Store.KeysAsync($"{key[..key.LastIndexOf('/')]}/", recursive: false));
        Assert.Equal([key[..key.IndexOf('/')]], await Store.FoldersAsync(""));
        Assert.Equal(key, (await Store.StatAsync(key))!.Value.Key);
        Assert.Equal(content, await Store.ReadAsync($"{key}-copy"));
        await Store.DeleteAsync([key]);
        Assert.Equal([$"{key}-copy"], await Store.KeysAsync());
    }

    [Theory]
    [InlineData("")]
    [InlineData("/etc/passwd")]
    [InlineData("../outside")]
    [InlineData("a//b")]
    [InlineData("a/./b")]
    [InlineData("a/")]
    [InlineData("a\\b")]
    [InlineData("a\nb")]
    public async Task KeysThatLeadAstrayAreRefused(string key)
    {
        await Store.PutAsync("a", "x"u8.ToArray());
        foreach (Func<Task> use in (Func<Task>[])
            [() => Store.StatAsync(key), () => Store.OpenReadAsync(key), () => Store.CreateAsync(key), () => Store.DeleteAsync([key]), () => Store.CopyAsync("a", key), () => Store.CopyAsync(key, "b")])
            Assert.Equal("ObjectKeyInvalid", (await Assert.ThrowsAsync<PgBackupException>(use)).Id);
    }

    [Fact]
    public async Task ManyObjectsAreListedAndDeleted()
    {
        string[] keys = [.. Enumerable.Range(0, Many).Select(i => $"many/folder {i % 7}/object-{i:d5}").Order(StringComparer.Ordinal)];
        await Parallel.ForEachAsync(keys, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (key, _) => await Store.PutAsync(key, StoreContent.Bytes(key[^1])));
        await Store.PutAsync("many/direct", "x"u8.ToArray());
        await Store.PutAsync("manyfold/other", "x"u8.ToArray());

        Assert.Equal(keys.Prepend("many/direct"), await Store.KeysAsync("many/"));
        Assert.Equal(["many/direct"], await Store.KeysAsync("many/", recursive: false));
        Assert.Equal(Enumerable.Range(0, 7).Select(i => $"folder {i}"), await Store.FoldersAsync("many/"));
        Assert.Equal(["many", "manyfold"], await Store.FoldersAsync(""));
        Assert.Empty(await Store.KeysAsync("nothing/"));
        Assert.Empty(await Store.FoldersAsync("nothing/"));
        await foreach (StoredObject item in Store.ListAsync("many/folder 3/", recursive: false))
        {
            Assert.Equal(item.Key[^1], item.Size);
            Assert.InRange(item.LastModified, DateTimeOffset.UtcNow.AddMinutes(-10), DateTimeOffset.UtcNow.AddMinutes(1));
        }

        string[] missing = [.. Enumerable.Range(0, 400).Select(i => $"many/missing-{i}")];
        await Store.DeleteAsync([.. keys, .. missing]);
        Assert.Equal(["many/direct", "manyfold/other"], await Store.KeysAsync());
        await Store.DeleteAsync([]);
    }

    [Fact]
    public async Task WhatIsNotThereIsNotFound()
    {
        await Store.PutAsync("there", "x"u8.ToArray());
        Assert.Null(await Store.StatAsync("folder/object"));
        Assert.Null(await Store.TryReadAllAsync("folder/object"));
        foreach (Func<Task> use in (Func<Task>[])
            [() => Store.OpenReadAsync("folder/object"), () => Store.OpenReadAsync("folder/object", 5, 5), () => Store.OpenReadAsync("folder/object", 0, 0), () => Store.CopyAsync("folder/object", "b")])
            Assert.Equal("ObjectNotFound", (await Assert.ThrowsAsync<PgBackupException>(use)).Id);
        await Store.DeleteAsync(["folder/object"]);
    }

    [Theory]
    [InlineData(100)]
    [InlineData(PartSize * 2)]
    public async Task AnObjectAppearsAtTheCommitAndNotBefore(int size)
    {
        await Store.PutAsync("a/object", "old"u8.ToArray());
        byte[] content = StoreContent.Bytes(size);
        await using (ObjectWriter writer = await Store.CreateAsync("a/object"))
        {
            await writer.WriteAsync(content);
            Assert.Equal("old"u8.ToArray(), await Store.ReadAsync("a/object"));
            Assert.Equal(["a/object"], await Store.KeysAsync());
            await writer.CommitAsync();
        }
        Assert.Equal(content, await Store.ReadAsync("a/object"));
    }

    [Theory]
    [InlineData(100)]
    [InlineData(PartSize * 2)]
    public async Task GivenUpItLeavesNothing(int size)
    {
        await using (ObjectWriter writer = await Store.CreateAsync("a/object"))
            await writer.WriteAsync(StoreContent.Bytes(size));
        Assert.Empty(await Store.KeysAsync());
        Assert.Empty(await Store.UnfinishedAsync());
    }

    [Fact]
    public async Task WhatIsInFlightIsListedAsSuchAndCanBeRemoved()
    {
        DateTimeOffset before = DateTimeOffset.UtcNow.AddSeconds(-2);
        foreach (string key in (string[])["a/x y", "a/b/y+z", "c/z"])
        {
            // Never disposed: a writer that was killed.
            ObjectWriter writer = await Store.CreateAsync(key);
            await writer.WriteAsync(StoreContent.Bytes(PartSize + 1));
            await WaitForUnfinishedAsync(key);
        }
        Assert.Equal(["a/b/y+z", "a/x y"], await Store.UnfinishedAsync("a/"));
        await foreach (UnfinishedObject item in Store.ListUnfinishedAsync(""))
            Assert.InRange(item.Started, before, DateTimeOffset.UtcNow.AddSeconds(2));
        Assert.Empty(await Store.KeysAsync());
        Assert.Equal(2, await Store.RemoveUnfinishedAsync("a/"));
        Assert.Equal(["c/z"], await Store.UnfinishedAsync());
        Assert.Equal(0, await Store.RemoveUnfinishedAsync("nothing/"));
    }

    [Theory]
    [InlineData(10)]
    [InlineData(PartSize + 10)]
    public async Task OfEightAtOnceExactlyOneWins(int size)
    {
        using var start = new Barrier(8);
        int?[] results = await Task.WhenAll(Enumerable.Range(1, 8).Select(number => Task.Factory.StartNew(() =>
        {
            byte[] content = StoreContent.Bytes(size, number);
            start.SignalAndWait();
            try
            {
                Store.PutAsync("folder/object", content, PutCondition.IfAbsent).GetAwaiter().GetResult();
                return (int?)number;
            }
            catch (PgBackupException error) when (error.Id == "ObjectExists")
            {
                return null;
            }
        }, TaskCreationOptions.LongRunning)));
        byte[] stored = await Store.ReadAsync("folder/object");
        int[] winners = [.. results.OfType<int>()];
        if (IsConditionProven(size))
            Assert.Equal(StoreContent.Bytes(size, Assert.Single(winners)), stored);
        else
            Assert.Contains(winners, number => StoreContent.Bytes(size, number).AsSpan().SequenceEqual(stored));
        Assert.Empty(await Store.UnfinishedAsync());
    }

    [Theory]
    [InlineData(10)]
    [InlineData(PartSize + 10)]
    public async Task WhatIsThereIsNotReplacedByAPutThatMustNot(int size)
    {
        await Store.PutAsync("folder/object", "old"u8.ToArray());
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => Store.PutAsync("folder/object", StoreContent.Bytes(size), PutCondition.IfAbsent));
        Assert.Equal("ObjectExists", error.Id);

        // It appears while the other is being written.
        await using (ObjectWriter writer = await Store.CreateAsync("folder/later", PutCondition.IfAbsent))
        {
            await writer.WriteAsync(StoreContent.Bytes(size));
            await Store.PutAsync("folder/later", "first"u8.ToArray());
            if (!HasConditionalPut)
                await Task.Delay(2_100); // A look of a moment ago stands for the one before the put.
            Assert.Equal("ObjectExists", (await Assert.ThrowsAsync<PgBackupException>(() => writer.CommitAsync())).Id);
        }
        Assert.Equal("old"u8.ToArray(), await Store.ReadAsync("folder/object"));
        Assert.Equal("first"u8.ToArray(), await Store.ReadAsync("folder/later"));
        Assert.Empty(await Store.UnfinishedAsync());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(PartSize * 2)]
    public async Task ACopyIsTheSameAndReplaces(int size)
    {
        byte[] content = StoreContent.Bytes(size);
        await Store.PutAsync("a/source", content);
        await Store.PutAsync("b/target", "old"u8.ToArray());
        await Store.CopyAsync("a/source", "b/target");
        Assert.Equal(content, await Store.ReadAsync("b/target"));
        Assert.Equal(content, await Store.ReadAsync("a/source"));
        Assert.True(Store.CanCopyFrom(Store));
        await Store.CopyFromAsync(Store, "a/source", "c/target");
        Assert.Equal(content, await Store.ReadAsync("c/target"));
    }

    [Fact]
    public async Task MoreWritersThanThereAreBuffersAllComeToAnEnd()
    {
        const int Writers = 20;
        byte[] content = StoreContent.Bytes(PartSize * 2 + 1);
        ObjectWriter[] writers = await Task.WhenAll(Enumerable.Range(0, Writers).Select(i => Store.CreateAsync($"object-{i}")));
        // All have begun a part before the first sends one.
        foreach (ObjectWriter writer in writers)
            await writer.WriteAsync(content.AsMemory(0, 1_000_000));
        await Task.WhenAll(writers.Select(async writer =>
        {
            await using (writer)
            {
                await writer.WriteAsync(content.AsMemory(1_000_000));
                await writer.CommitAsync();
            }
        })).WaitAsync(TimeSpan.FromMinutes(3));
        string expected = StoreContent.Digest(content);
        for (int i = 0; i < Writers; i++)
            Assert.Equal(expected, StoreContent.Digest(await Store.ReadAsync($"object-{i}")));
    }

    [Fact]
    public async Task ItDescribesItself()
    {
        await Store.PutAsync("object", "x"u8.ToArray());
        StoreDescription description = await Store.DescribeAsync();
        Assert.Equal(Kind, description.Kind);
        if (description.ClockSkew is { } skew)
            Assert.InRange(skew.Duration(), TimeSpan.Zero, TimeSpan.FromSeconds(5));
    }

    /// <summary>Opens a store with nothing in it, whose parts are of <see cref="PartSize"/>.</summary>
    protected abstract Task<IObjectStore> OpenAsync();

    /// <summary>Whether for objects of this size exactly one of many wins.</summary>
    protected virtual bool IsConditionProven(int size) => HasConditionalPut;

    private async Task WaitForUnfinishedAsync(string key)
    {
        for (int i = 0; i < 200 && !(await Store.UnfinishedAsync()).Contains(key); i++)
            await Task.Delay(20);
        Assert.Contains(key, await Store.UnfinishedAsync());
    }
}
