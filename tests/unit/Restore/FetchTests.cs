using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Restore.Fetching;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Restore;

public sealed class FetchTests
{
    [Theory]
    [InlineData("lz4", 1)]
    [InlineData("lz4", 2)]
    [InlineData("lz4", 3)]
    [InlineData("zstd-sodium", 1)]
    [InlineData("zstd-sodium", 2)]
    [InlineData("zstd-sodium", 3)]
    public async Task AChainThatWalgWroteIsFetched(string codec, int length)
    {
        using TempFolder folder = new();
        WalgFixture fixture = WalgFixture.Named(codec);
        FetchResult result = await FetchAsync(fixture.Open(), fixture.Backups.Take(length), folder.Combine("data"));
        Assert.True(result.Files > 900);
        Assert.Empty(result.Warnings);
        Assert.False(File.Exists(folder.Combine("data", RestoreDestination.MarkerName)));
        ControlFile control = await ControlFile.ReadAsync(folder.Combine("data"), default);
        Assert.Equal(fixture.SystemIdentifier, control.SystemIdentifier);
        Assert.Equal("15\n", await File.ReadAllTextAsync(folder.Combine("data", "PG_VERSION")));
        Assert.True(Directory.Exists(folder.Combine("data", "pg_wal", "archive_status")));
        Assert.StartsWith("START WAL LOCATION", await File.ReadAllTextAsync(folder.Combine("data", "backup_label")), StringComparison.Ordinal);
    }

    internal static async Task<FetchResult> FetchAsync(BackupRepository repository, IEnumerable<string> chain, string target, params RestoredTablespace[] tablespaces)
    {
        using var destination = new RestoreDestination(target, tablespaces, null);
        destination.Prepare("test");
        var progress = new FetchProgress("test", null, NoProgress.Instance, OperationLog.None);
        var fetcher = new BackupFetcher(repository, destination, 2, progress, OperationLog.None);
        BackupName[] names = [.. chain.Select(n => BackupName.TryParse(n, out BackupName? name) ? name : throw new InvalidOperationException(n))];
        FetchResult result = await fetcher.FetchAsync(names, default);
        destination.Complete(default);
        return result;
    }
}
