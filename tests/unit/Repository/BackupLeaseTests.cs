using System.Diagnostics;
using System.Text.Json;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Storage;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Repository;

public sealed class BackupLeaseTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly BackupRepository _repository;

    public BackupLeaseTests()
    {
        Directory.CreateDirectory(_folder.Combine("repository"));
        _repository = new BackupRepository(new DirectoryStore(_folder.Combine("repository")), null);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task ItIsHeldByOneAndGivenBack()
    {
        await using (BackupLease lease = await BackupLease.AcquireAsync(_repository, "first"))
        {
            PgBackupException refused = await Assert.ThrowsAsync<PgBackupException>(() => BackupLease.AcquireAsync(_repository, "second"));
            Assert.Equal(("BackupInProgress", ExitCodes.Locked), (refused.Id, refused.ExitCode));
            await lease.RenameAsync("base_1");
            Assert.Equal("base_1", (await BackupLease.CurrentAsync(_repository))!.Backup);
            await lease.RequireHeldAsync();
        }
        Assert.Null(await BackupLease.CurrentAsync(_repository));
        Assert.Null(await _repository.Store.StatAsync(BackupLease.Key));
    }

    [Fact]
    public async Task AProcessThatDiedHereGivesWayAtOnce()
    {
        using Process dead = Process.Start("true");
        await dead.WaitForExitAsync();
        await PutAsync(Holder() with { ProcessId = dead.Id });
        Assert.Null(await BackupLease.CurrentAsync(_repository));
        await using BackupLease lease = await BackupLease.AcquireAsync(_repository, "next");
        await lease.RequireHeldAsync();
    }

    [Fact]
    public async Task AnotherProcessUnderTheSameIdIsNotTheHolder()
    {
        using Process other = Process.Start("sleep", "60");
        try
        {
            await PutAsync(Holder() with { ProcessId = other.Id, ProcessStarted = other.StartTime.ToUniversalTime() });
            Assert.NotNull(await BackupLease.CurrentAsync(_repository));
            await PutAsync(Holder() with { ProcessId = other.Id, ProcessStarted = other.StartTime.ToUniversalTime().AddHours(-1) });
            Assert.Null(await BackupLease.CurrentAsync(_repository));
        }
        finally
        {
            other.Kill();
        }
    }

    [Fact]
    public async Task ARunOfThisProcessThatCouldNotGiveItBackGivesWay()
    {
        using var self = Process.GetCurrentProcess();
        await PutAsync(Holder() with { ProcessId = self.Id, ProcessStarted = self.StartTime.ToUniversalTime() });
        Assert.Null(await BackupLease.CurrentAsync(_repository));
    }

    [Theory]
    [InlineData(-9, true)]
    [InlineData(-11, false)]
    [InlineData(30, true)] // Its clock runs ahead.
    public async Task OfAnotherHostOnlyItsSignsOfLifeAreKnown(int minutes, bool lives)
    {
        await PutAsync(Holder() with { HostName = "elsewhere", RenewedAt = DateTimeOffset.UtcNow.AddMinutes(minutes) });
        Assert.Equal(lives, await BackupLease.CurrentAsync(_repository) is not null);
    }

    [Fact]
    public async Task AHolderWhoseClockIsBehindIsHeardBeforeItIsTakenForDead()
    {
        TimeSpan usual = BackupLease.ListensFor;
        BackupLease.ListensFor = TimeSpan.FromSeconds(1);
        try
        {
            LeaseRecord behind = Holder() with { HostName = "elsewhere", RenewedAt = DateTimeOffset.UtcNow.AddMinutes(-20) };
            await PutAsync(behind);
            Task<BackupLease> taking = BackupLease.AcquireAsync(_repository, "x");
            await Task.Delay(100);
            await PutAsync(behind with { RenewedAt = behind.RenewedAt.AddSeconds(30) });
            Assert.Equal("BackupInProgress", (await Assert.ThrowsAsync<PgBackupException>(() => taking)).Id);
            // Then it falls silent.
            await using BackupLease lease = await BackupLease.AcquireAsync(_repository, "x");
            Assert.Equal("elsewhere", lease.Predecessor?.HostName);
        }
        finally
        {
            BackupLease.ListensFor = usual;
        }
    }

    [Fact]
    public async Task AContainerWithOurHostNameIsAnotherHost()
    {
        using Process dead = Process.Start("true");
        await dead.WaitForExitAsync();
        await PutAsync(Holder() with { ProcessId = dead.Id, ProcessScope = "another boot pid:[1]" });
        Assert.Equal("BackupInProgress", (await Assert.ThrowsAsync<PgBackupException>(() => BackupLease.AcquireAsync(_repository, "x"))).Id);
    }

    [Fact]
    public async Task WhoeverLostItIsToldAndLeavesTheTakersAlone()
    {
        BackupLease lease = await BackupLease.AcquireAsync(_repository, "slow");
        LeaseRecord taker = Holder() with { HostName = "elsewhere", Token = "ffff" };
        await PutAsync(taker);
        Assert.Equal("LeaseLost", (await Assert.ThrowsAsync<PgBackupException>(() => lease.RequireHeldAsync())).Id);
        await lease.DisposeAsync();
        Assert.Equal("ffff", (await BackupLease.CurrentAsync(_repository))!.Token);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("[1]")]
    [InlineData("{\"Token\":7}")]
    public async Task AnUnreadableOneIsBelievedForAWhileAndNeverBreaksAListing(string content)
    {
        await _repository.Store.PutAsync(BackupLease.Key, System.Text.Encoding.UTF8.GetBytes(content));
        Assert.Null(await BackupLease.CurrentAsync(_repository));
        Assert.Equal("BackupInProgress", (await Assert.ThrowsAsync<PgBackupException>(() => BackupLease.AcquireAsync(_repository, "x"))).Id);
        File.SetLastWriteTimeUtc(_folder.Combine("repository", BackupLease.Key), DateTime.UtcNow.AddMinutes(-11));
        await using (await BackupLease.AcquireAsync(_repository, "x"))
        {
        }
    }

    [Fact]
    public async Task OfManyAtOnceOneGetsIt()
    {
        for (int round = 0; round < 20; round++)
            await OneOfManyAsync();
    }

    private async Task OneOfManyAsync()
    {
        Task<BackupLease?>[] tries = [.. Enumerable.Range(0, 16).Select(_ => Task.Run(async () =>
        {
            try
            {
                return await BackupLease.AcquireAsync(_repository, "x");
            }
            catch (PgBackupException error) when (error.Id == "BackupInProgress")
            {
                return null;
            }
        }))];
        BackupLease winner = Assert.Single(await Task.WhenAll(tries), lease => lease is not null)!;
        await winner.RequireHeldAsync();
        await winner.DisposeAsync();
    }

    [Fact]
    public async Task AStoreThatHasGoneDoesNotHideWhatHappened()
    {
        BackupLease lease = await BackupLease.AcquireAsync(_repository, "x");
        Directory.Delete(_folder.Combine("repository"), recursive: true);
        await lease.DisposeAsync();
        Assert.False(Directory.Exists(_folder.Combine("repository")));
    }

    private static LeaseRecord Holder() => new(
        "0123", "base_x", Environment.MachineName, 1, DateTimeOffset.UtcNow, DateTimeOffset.UtcNow, DateTimeOffset.UtcNow, ProcessScope.Current);

    private Task PutAsync(LeaseRecord record) =>
        _repository.Store.PutAsync(BackupLease.Key, JsonSerializer.SerializeToUtf8Bytes(record, RepositoryJson.Default.LeaseRecord));
}
