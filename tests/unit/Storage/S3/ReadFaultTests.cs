using PgBackup.Storage;
using PgBackup.TestServers.Proxy;
using S3Operation = PgBackup.TestServers.Proxy.S3Operation;

namespace PgBackup.Tests.Storage.S3;

/// <summary>Downloads under faults.</summary>
public sealed class ReadFaultTests
{
    private const string Key = "folder/object";
    private const int Small = 3_000_000;
    private const int Large = 40_000_000;

    /// <summary>Faults that befall some requests and then pass.</summary>
    public static TheoryData<string> PassingFaults => [.. Passing.Keys];

    private static Dictionary<string, Action<FaultProxy>> Passing => new()
    {
        ["reset in the middle"] = proxy => proxy.Add(S3Operation.GetObject, new Fault.ResetAnswer(700_000), times: 5),
        ["cut short"] = proxy => proxy.Add(S3Operation.GetObject, new Fault.TruncateAnswer(700_000), times: 5),
        ["no byte of the body"] = proxy => proxy.Add(S3Operation.GetObject, new Fault.TruncateAnswer(0), times: 3),
        ["500"] = proxy => proxy.Add(S3Operation.GetObject, Fault.InternalError, times: 4),
        ["503"] = proxy => proxy.Add(S3Operation.GetObject, Fault.SlowDown, times: 4),
        ["answer lost"] = proxy => proxy.Add(S3Operation.GetObject, new Fault.LoseAnswer(), times: 3),
        ["stall"] = proxy => proxy.Add(S3Operation.GetObject, new Fault.Stall(TimeSpan.FromMinutes(5)), times: 1),
        ["slow line"] = proxy => proxy.Add(S3Operation.GetObject, new Fault.Throttle(6_000_000)),
        ["far store"] = proxy => proxy.Add(_ => true, new Fault.Delay(TimeSpan.FromMilliseconds(100))),
    };

    [Theory]
    [MemberData(nameof(PassingFaults))]
    public async Task APassingFaultIsSurvived(string fault)
    {
        await using FaultyStore faulty = await FaultyStore.OpenAsync();
        foreach (int size in (int[])[Small, Large])
        {
            byte[] content = StoreContent.Bytes(size);
            await faulty.Direct.PutAsync(Key, content);
            faulty.Proxy.Clear();
            Passing[fault](faulty.Proxy);
            Assert.Equal(StoreContent.Digest(content), StoreContent.Digest(await faulty.Store.ReadAsync(Key)));
            Assert.Equal(StoreContent.Digest(content[1_234_567..2_345_678]), StoreContent.Digest(await faulty.Store.ReadAsync(Key, 1_234_567, 1_111_111)));
        }
    }

    [Fact]
    public async Task AStoreThatIsAwayForAWhileIsWaitedFor()
    {
        await using FaultyStore faulty = await FaultyStore.OpenAsync();
        byte[] content = StoreContent.Bytes(Large);
        await faulty.Direct.PutAsync(Key, content);
        faulty.Proxy.Add(S3Operation.GetObject, new Fault.Throttle(20_000_000));
        await using Stream source = await faulty.Store.OpenReadAsync(Key);
        byte[] start = new byte[1_000_000];
        await source.ReadExactlyAsync(start);
        await faulty.Proxy.RefuseAsync();
        Task<string> rest = StoreContent.DigestAsync(source);
        await Task.Delay(700);
        faulty.Proxy.Accept();
        Assert.Equal(StoreContent.Digest(content[start.Length..]), await rest);
    }

    [Fact]
    public async Task WhatStaysIsTold()
    {
        foreach ((Fault fault, string[] expected) in ((Fault, string[])[])
        [
            (Fault.InternalError, ["StorageReadFailed"]),
            (new Fault.TruncateAnswer(0), ["StorageReadFailed"]),
            (new Fault.LoseAnswer(), ["StorageReadFailed", "StorageUnreachable"]),
            (new Fault.Stall(TimeSpan.FromMinutes(5)), ["StorageUnreachable"]),
            (Fault.ExpiredToken, ["StorageCredentialExpired"]),
            (Fault.RequestTimeTooSkewed, ["StorageClockSkewed"]),
        ])
        {
            // Only a stall is to run into the short time limit: on a busy machine an honest answer takes longer than that.
            await using FaultyStore faulty = await FaultyStore.OpenAsync(s => s with { MaxRetries = 1, IdleTimeout = fault is Fault.Stall ? TimeSpan.FromSeconds(1) : s.IdleTimeout });
            await faulty.Direct.PutAsync(Key, StoreContent.Bytes(Small));
            faulty.Proxy.Add(S3Operation.GetObject, fault);
            Assert.Contains(await FaultyStore.FailureAsync(() => faulty.Store.ReadAsync(Key)), expected);
        }
    }

    [Fact]
    public async Task ContentThatWasDamagedOnTheWayIsNeverTakenForWhatWasPut()
    {
        await using FaultyStore faulty = await FaultyStore.OpenAsync();
        await faulty.Direct.PutAsync(Key, StoreContent.Bytes(Small));
        faulty.Proxy.Add(S3Operation.GetObject, new Fault.DamageAnswer(1_000_000));
        Assert.Equal("ObjectDamaged", await FaultyStore.FailureAsync(() => faulty.Store.ReadAsync(Key)));
    }

    [Fact]
    public async Task AnObjectThatIsReplacedWhileItIsReadGivesNoMixture()
    {
        await using FaultyStore faulty = await FaultyStore.OpenAsync();
        await faulty.Direct.PutAsync(Key, StoreContent.Bytes(Large * 3));
        await using Stream source = await faulty.Store.OpenReadAsync(Key);
        await source.ReadExactlyAsync(new byte[1000]);
        await faulty.Direct.PutAsync(Key, StoreContent.Bytes(Large * 3, seed: 2));
        Assert.Equal("ObjectChanged", await FaultyStore.FailureAsync(() => StoreContent.DigestAsync(source)));
    }

    [Fact]
    public async Task ALargeObjectIsReadWithSeveralRequestsAtOnce()
    {
        await using FaultyStore faulty = await FaultyStore.OpenAsync();
        await faulty.Direct.PutAsync(Key, StoreContent.Bytes(Large));
        faulty.Proxy.Add(_ => true, new Fault.Delay(TimeSpan.FromMilliseconds(100)));
        await faulty.Store.ReadAsync(Key);
        Assert.InRange(faulty.Proxy.MostInFlight, 2, faulty.Settings.ConcurrentRequests);
    }

    [Fact]
    public async Task AListingGoesOnOverFaults()
    {
        await using FaultyStore faulty = await FaultyStore.OpenAsync();
        string[] keys = [.. Enumerable.Range(0, 30).Select(i => $"folder/{i:d2}")];
        await Parallel.ForEachAsync(keys, async (key, _) => await faulty.Direct.PutAsync(key, "x"u8.ToArray()));
        faulty.Proxy.Add(S3Operation.ListObjects, Fault.InternalError, times: 1);
        faulty.Proxy.Add(S3Operation.ListObjects, new Fault.TruncateAnswer(300), skip: 1, times: 1);
        faulty.Proxy.Add(S3Operation.ListObjects, new Fault.ResetAnswer(300), skip: 2, times: 1);
        faulty.Proxy.Add(S3Operation.ListObjects, new Fault.DamageAnswer(0), skip: 3, times: 1);
        Assert.Equal(keys, await faulty.Store.KeysAsync());
        Assert.Equal(5, faulty.Proxy.Count(S3Operation.ListObjects));
    }
}
