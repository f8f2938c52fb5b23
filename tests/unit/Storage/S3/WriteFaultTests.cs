using System.Net;
using PgBackup.Storage;
using PgBackup.TestServers.Proxy;
using S3Operation = PgBackup.TestServers.Proxy.S3Operation;

namespace PgBackup.Tests.Storage.S3;

/// <summary>Uploads under faults: what passes is survived, what stays is told, and what is told as done is there byte for byte.</summary>
public sealed class WriteFaultTests
{
    private const string Key = "folder/object";
    private const int Small = 300_000;
    private const int Large = (FaultyStore.PartSize * 4) + 12_345;

    /// <summary>Faults that befall some requests and then pass.</summary>
    public static TheoryData<string, int> PassingFaults
    {
        get
        {
            TheoryData<string, int> data = [];
            foreach (string name in Passing.Keys)
                data.Add(name, name.Contains("put", StringComparison.Ordinal) ? Small : Large);
            return data;
        }
    }

    private static Dictionary<string, Action<FaultProxy>> Passing => new()
    {
        ["reset in the middle of a put"] = proxy => proxy.Add(S3Operation.PutObject, new Fault.ResetRequest(100_000), times: 2),
        ["reset in the middle of parts"] = proxy => proxy.Add(S3Operation.UploadPart, new Fault.ResetRequest(1 << 20), skip: 1, times: 3),
        ["500 to a put"] = proxy => proxy.Add(S3Operation.PutObject, Fault.InternalError, times: 3),
        ["500 to everything"] = proxy => proxy.Add(_ => true, Fault.InternalError, times: 4),
        ["503 to a put"] = proxy => proxy.Add(S3Operation.PutObject, Fault.SlowDown, times: 3),
        ["503 to parts, more often than there are retries"] = proxy => proxy.Add(S3Operation.UploadPart, Fault.SlowDown, skip: 1, times: 9),
        ["500 and 503 in turn"] = proxy =>
        {
            proxy.Add(r => r.Number % 3 == 0, Fault.InternalError, times: 5);
            proxy.Add(r => r.Number % 3 == 1, Fault.SlowDown, times: 5);
        },
        ["answer of a put lost"] = proxy => proxy.Add(S3Operation.PutObject, new Fault.LoseAnswer(), times: 1),
        ["answers of the begin, a part and the end lost"] = proxy =>
        {
            proxy.Add(S3Operation.UploadPart, new Fault.LoseAnswer(), skip: 1, times: 2);
            proxy.Add(S3Operation.CompleteUpload, new Fault.LoseAnswer(), times: 1);
        },
        ["answer of the end cut short"] = proxy => proxy.Add(S3Operation.CompleteUpload, new Fault.TruncateAnswer(20), times: 1),
        ["confirmation lost after a put"] = proxy => proxy.Add(S3Operation.HeadObject, new Fault.LoseAnswer(), times: 2),
        ["put that stalls"] = proxy => proxy.Add(S3Operation.PutObject, new Fault.Stall(TimeSpan.FromMinutes(5)), times: 1),
        ["part that stalls"] = proxy => proxy.Add(S3Operation.UploadPart, new Fault.Stall(TimeSpan.FromMinutes(5)), skip: 1, times: 1),
        ["content of a put damaged on the way"] = proxy => proxy.Add(S3Operation.PutObject, new Fault.DamageRequest(150_000), times: 1),
        ["content of a part damaged on the way"] = proxy => proxy.Add(S3Operation.UploadPart, new Fault.DamageRequest(150_000), skip: 2, times: 1),
        ["slow line"] = proxy => proxy.Add(S3Operation.UploadPart, new Fault.Throttle(2_000_000)),
        ["far store"] = proxy => proxy.Add(_ => true, new Fault.Delay(TimeSpan.FromMilliseconds(100))),
        ["wrong ETag of a put"] = proxy => proxy.Add(S3Operation.PutObject, new Fault.WrongETag(), times: 1),
        ["clock that is refused once, of a put"] = proxy => proxy.Add(S3Operation.PutObject, Fault.RequestTimeTooSkewed, times: 1),
        ["clock that is refused once, of the begin"] = proxy => proxy.Add(S3Operation.CreateUpload, Fault.RequestTimeTooSkewed, times: 1),
        ["listing that lags behind a put"] = proxy => proxy.Add(S3Operation.ListObjects, new Fault.Lag(TimeSpan.FromSeconds(30))),
    };

    [Theory]
    [MemberData(nameof(PassingFaults))]
    public async Task APassingFaultIsSurvived(string fault, int size)
    {
        await using FaultyStore faulty = await FaultyStore.OpenAsync();
        Passing[fault](faulty.Proxy);
        byte[] content = StoreContent.Bytes(size);
        await faulty.Store.PutAsync(Key, content, PutCondition.IfAbsent);
        await faulty.AssertHoldsOnlyAsync(Key, content);
        Assert.Empty(await faulty.Direct.UnfinishedAsync());
    }

    [Theory]
    [InlineData(Small)]
    [InlineData(Large)]
    public async Task AStoreThatIsAwayForAWhileIsWaitedFor(int size)
    {
        await using FaultyStore faulty = await FaultyStore.OpenAsync();
        byte[] content = StoreContent.Bytes(size);
        await using ObjectWriter writer = await faulty.Store.CreateAsync(Key);
        await writer.WriteAsync(content.AsMemory(0, size / 2));
        await faulty.Proxy.RefuseAsync();
        Task rest = FinishAsync();
        await Task.Delay(700);
        faulty.Proxy.Accept();
        await rest;
        await faulty.AssertHoldsOnlyAsync(Key, content);

        async Task FinishAsync()
        {
            await writer.WriteAsync(content.AsMemory(size / 2));
            await writer.CommitAsync();
        }
    }

    [Theory]
    [InlineData(Small)]
    [InlineData(Large)]
    public async Task AStoreThatIsAwayForGoodCannotBeReached(int size)
    {
        await using FaultyStore faulty = await FaultyStore.OpenAsync(s => s with { MaxRetries = 2 });
        await using (ObjectWriter writer = await faulty.Store.CreateAsync(Key))
        {
            await writer.WriteAsync(StoreContent.Bytes(size / 2));
            await faulty.Proxy.RefuseAsync();
            Assert.Equal("StorageUnreachable", await FaultyStore.FailureAsync(async () =>
            {
                await writer.WriteAsync(StoreContent.Bytes(size / 2));
                await writer.CommitAsync();
            }));
        }
        faulty.Proxy.Accept();
        await faulty.AssertHoldsNothingAsync();
    }

    [Theory]
    [InlineData(S3Operation.PutObject, Small, HttpStatusCode.InternalServerError, "InternalError", "StorageWriteFailed")]
    [InlineData(S3Operation.UploadPart, Large, HttpStatusCode.InternalServerError, "InternalError", "StorageWriteFailed")]
    [InlineData(S3Operation.CompleteUpload, Large, HttpStatusCode.InternalServerError, "InternalError", "StorageWriteFailed")]
    [InlineData(S3Operation.UploadPart, Large, HttpStatusCode.ServiceUnavailable, "SlowDown", "StorageWriteFailed")]
    [InlineData(S3Operation.UploadPart, Large, HttpStatusCode.BadRequest, "ExpiredToken", "StorageCredentialExpired")]
    [InlineData(S3Operation.UploadPart, Large, HttpStatusCode.Forbidden, "ExpiredToken", "StorageCredentialExpired")]
    [InlineData(S3Operation.PutObject, Small, HttpStatusCode.Forbidden, "RequestTimeTooSkewed", "StorageClockSkewed")]
    [InlineData(S3Operation.CreateUpload, Large, HttpStatusCode.Forbidden, "RequestTimeTooSkewed", "StorageClockSkewed")]
    [InlineData(S3Operation.PutObject, Small, HttpStatusCode.Forbidden, "AccessDenied", "StorageAccessDenied")]
    [InlineData(S3Operation.PutObject, Small, HttpStatusCode.InsufficientStorage, "QuotaExceeded", "StorageFull")]
    [InlineData(S3Operation.PutObject, Small, HttpStatusCode.BadRequest, "AuthorizationHeaderMalformed", "StorageRegionWrong")]
    public async Task WhatStaysIsTold(S3Operation operation, int size, HttpStatusCode status, string code, string expected)
    {
        await using FaultyStore faulty = await FaultyStore.OpenAsync(s => s with { MaxRetries = 2, RequestDeadline = TimeSpan.FromSeconds(3) });
        faulty.Proxy.Add(operation, new Fault.Answer(status, code));
        Assert.Equal(expected, await FaultyStore.FailureAsync(() => faulty.Store.PutAsync(Key, StoreContent.Bytes(size))));
        await faulty.AssertHoldsNothingAsync();
    }

    [Theory]
    [InlineData(S3Operation.PutObject, Small)]
    [InlineData(S3Operation.UploadPart, Large)]
    public async Task ResetsAndStallsThatStayAreTold(S3Operation operation, int size)
    {
        foreach (Fault fault in (Fault[])[new Fault.ResetRequest(100_000), new Fault.Stall(TimeSpan.FromMinutes(5)), new Fault.DamageRequest(100_000)])
        {
            await using FaultyStore faulty = await FaultyStore.OpenAsync(s => s with { MaxRetries = 1 });
            faulty.Proxy.Add(operation, fault);
            Assert.Contains(await FaultyStore.FailureAsync(() => faulty.Store.PutAsync(Key, StoreContent.Bytes(size))), (string[])["StorageUnreachable", "StorageWriteFailed"]);
            await faulty.AssertHoldsNothingAsync();
        }
    }

    [Theory]
    [InlineData(S3Operation.UploadPart)]
    [InlineData(S3Operation.CompleteUpload)]
    [InlineData(S3Operation.HeadObject)]
    public async Task AfterAWrongETagItIsDoneAndRightOrNotDone(S3Operation operation)
    {
        await using FaultyStore faulty = await FaultyStore.OpenAsync();
        faulty.Proxy.Add(operation, new Fault.WrongETag(), times: 1);
        byte[] content = StoreContent.Bytes(Large);
        try
        {
            await faulty.Store.PutAsync(Key, content);
        }
        catch (Errors.PgBackupException)
        {
            await faulty.AssertHoldsNothingAsync();
            return;
        }
        await faulty.AssertHoldsOnlyAsync(Key, content);
    }

    [Fact]
    public async Task AStoreThatIsAskedTooMuchIsAskedLess()
    {
        await using FaultyStore faulty = await FaultyStore.OpenAsync(s => s with { MaxRetries = 1 });
        byte[] content = StoreContent.Bytes(FaultyStore.PartSize * 12);
        faulty.Proxy.Add(S3Operation.UploadPart, new Fault.Delay(TimeSpan.FromMilliseconds(100)));
        await faulty.Store.PutAsync("folder/before", content);
        int before = faulty.Proxy.MostInFlight;
        Assert.InRange(before, 3, faulty.Settings.ConcurrentRequests);

        faulty.Proxy.Add(S3Operation.UploadPart, Fault.SlowDown, times: 10);
        await faulty.Store.PutAsync("folder/throttled", content);
        faulty.Proxy.ResetCounts();
        await faulty.Store.PutAsync("folder/after", StoreContent.Bytes(FaultyStore.PartSize * 2));
        Assert.True(faulty.Proxy.MostInFlight < before, $"After having been throttled {faulty.Proxy.MostInFlight} requests at once, before {before}.");
    }
}
