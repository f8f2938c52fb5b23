using PgBackup.Errors;
using PgBackup.Storage;
using PgBackup.TestServers.Proxy;

namespace PgBackup.Tests.Storage.S3;

/// <summary>All faults at once, at random.</summary>
public sealed class ManyFaultsTests
{
    private const string Key = "folder/object";

    [Fact]
    public Task WhatIsDoneIsRightAndWhatFailsLeavesNothing() => RunAsync(rounds: 3);

    [Fact]
    [Trait("Category", "Full")]
    public Task WhatIsDoneIsRightAndWhatFailsLeavesNothingInManyRounds() => RunAsync(rounds: 40);

    private static async Task RunAsync(int rounds)
    {
        int seed = Random.Shared.Next();
        Random random = new(seed);
        for (int round = 0; round < rounds; round++)
        {
            await using FaultyStore faulty = await FaultyStore.OpenAsync(s => s with { MaxRetries = 4 });
            foreach (Fault fault in (Fault[])
            [
                new Fault.ResetRequest(random.Next(6_000_000)), new Fault.ResetAnswer(random.Next(2_000_000)), new Fault.TruncateAnswer(random.Next(2_000_000)), new Fault.LoseAnswer(),
                new Fault.DamageRequest(random.Next(6_000_000)), Fault.SlowDown, Fault.InternalError, new Fault.Delay(TimeSpan.FromMilliseconds(random.Next(200))),
            ])
            {
                int often = random.Next(5, 40), turn = random.Next(often);
                faulty.Proxy.Add(r => r.Number % often == turn, fault);
            }
            byte[] content = StoreContent.Bytes(random.Next(30_000_000), seed: round);
            string where = $"seed {seed}, round {round}, {content.Length} bytes";
            if (await IsDoneAsync(() => faulty.Store.PutAsync(Key, content, PutCondition.IfAbsent)))
                Assert.True(StoreContent.Digest(content) == StoreContent.Digest(await faulty.Direct.ReadAsync(Key)), $"What was told as done is something else: {where}");
            else
                await faulty.Direct.PutAsync(Key, content); // A lost answer may leave an object that nobody was told of.
            byte[] read = [];
            if (await IsDoneAsync(async () => read = await faulty.Store.ReadAsync(Key)))
                Assert.True(StoreContent.Digest(content) == StoreContent.Digest(read), $"What was read is something else: {where}");
            if (await IsDoneAsync(() => faulty.Store.CopyAsync(Key, "folder/copy")))
                Assert.True(StoreContent.Digest(content) == StoreContent.Digest(await faulty.Direct.ReadAsync("folder/copy")), $"The copy is something else: {where}");
            if (await IsDoneAsync(() => faulty.Store.DeleteAsync([Key, "folder/copy"])))
                Assert.True((await faulty.Direct.KeysAsync()).Count == 0, $"What was deleted is there: {where}");
            await faulty.Direct.DeleteAsync([Key, "folder/copy"]);
            await faulty.AssertHoldsNothingAsync();
        }
    }

    private static async Task<bool> IsDoneAsync(Func<Task> use)
    {
        try
        {
            await use();
            return true;
        }
        catch (PgBackupException)
        {
            return false;
        }
    }
}
