using PgBackup.Logical.Comparison;
using PgBackup.Logical.Dump;
using PgBackup.Logical.Load;
using PgBackup.Repository;
using PgBackup.Repository.Dumps;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Logical.Dump;
using Xunit;

namespace PgBackup.Tests.Logical;

/// <summary>The whole way on PostgreSQL 17 with its own programs: dumped, proven, restored by them and by us, and compared by another dump.</summary>
public sealed class Server17Tests(DumpServer17 server) : IClassFixture<DumpServer17>
{
    [Theory]
    [InlineData(DumpFormat.Custom)]
    [InlineData(DumpFormat.Directory)]
    [InlineData(DumpFormat.Plain)]
    [InlineData(DumpFormat.Tar)]
    public async Task ThereAndBack(DumpFormat format)
    {
        using var folder = new TempFolder();
        var repository = new BackupRepository(new DirectoryStore(folder.Combine("repository")), DumpServer.Key);
        DatabaseBackup backup = await VerifiedDump.RunAsync(
            repository, server.Options("everything") with { Format = format, ThrottleLimit = 2 }, null, OperationLog.None, NoProgress.Instance);
        Assert.Equal((17, 17), (backup.ServerVersion!.Major, backup.ToolVersion!.Major));
        Assert.Equal((DumpVerificationStatus.Verified, null), (backup.Verification!.Status, backup.Verification.Problem));
        await server.CompareAsync(repository, (await DumpDocuments.TryReadManifestAsync(repository, backup.Name))!, "everything");

        string target = $"ours_{format}".ToLowerInvariant();
        await using DumpSource source = await DumpSource.FromRepositoryAsync(repository, backup.Name);
        DatabaseRestoreResult result = await DatabaseLoad.RunAsync(
            source, new LoadOptions { Server = server.Settings(), TargetDatabase = target }, OperationLog.None, NoProgress.Instance, static error => throw error);
        Assert.Equal((DatabaseRestoreStatus.Complete, true), (result.Status, result.Created));
        await server.CompareAsync("everything", target);
    }
}
