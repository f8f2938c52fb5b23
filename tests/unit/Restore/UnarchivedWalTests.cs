using PgBackup.Errors;
using PgBackup.Restore.Planning;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Restore;

/// <summary>What of pg_wal may be the only copy, and is not given up unasked.</summary>
public sealed class UnarchivedWalTests
{
    [Fact]
    public async Task AfterACrashWhatWasNotArchivedYetIsKept()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        await lab.InsertAsync("A");
        await lab.ArchiveAsync();
        await lab.InsertAsync("only here");
        string current = await lab.Cluster.ScalarAsync<string>("SELECT pg_walfile_name(pg_current_wal_insert_lsn())");
        await lab.Cluster.Kill9Async();
        Assert.Contains($"holds '{current}'", (await RefusedAsync(lab)).Message, StringComparison.Ordinal);
        // Pushed by hand it is safe.
        string stored = Path.Combine(lab.WalFolder, current);
        File.Copy(Path.Combine(lab.Cluster.DataDirectory, "pg_wal", current), stored);
        await UnarchivedWal.RequireNoneAsync(lab.Repository, lab.Cluster.DataDirectory, default);
        File.Delete(stored);
        await RefusedAsync(lab);

        // A clean stop archives all but the checkpoint that it ends with.
        await lab.Cluster.StartAsync();
        await lab.Cluster.StopAsync();
        Assert.True(File.Exists(stored));
        await UnarchivedWal.RequireNoneAsync(lab.Repository, lab.Cluster.DataDirectory, default);
    }

    [Fact]
    public async Task WithoutArchivingNothingOfItIsArchived()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        await lab.Cluster.ExecuteAsync("ALTER SYSTEM SET archive_mode = off");
        await lab.Cluster.RestartAsync();
        var segments = new List<string>();
        for (int i = 0; i < 3; i++)
        {
            await lab.InsertAsync($"{i}");
            segments.Add(await lab.Cluster.ScalarAsync<string>(RestoreLab.SwitchOf(lab.Cluster)));
        }
        await lab.Cluster.Kill9Async();
        string message = (await RefusedAsync(lab)).Message;
        Assert.Contains($"'{segments[0]}' the first", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AFileOfTheSameNameWithOtherContentIsNoCopy()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        await lab.InsertAsync("A");
        string segment = await lab.Cluster.ScalarAsync<string>(RestoreLab.SwitchOf(lab.Cluster));
        await lab.WaitForArchiveAsync(segment);
        await lab.Cluster.StopAsync();
        string wal = Path.Combine(lab.Cluster.DataDirectory, "pg_wal", segment), status = Path.Combine(lab.Cluster.DataDirectory, "pg_wal", "archive_status", segment);
        byte[] content = await File.ReadAllBytesAsync(Path.Combine(lab.WalFolder, segment));
        await File.WriteAllBytesAsync(wal, content);
        File.Delete(status + ".done");
        await File.WriteAllTextAsync(status + ".ready", "");
        await UnarchivedWal.RequireNoneAsync(lab.Repository, lab.Cluster.DataDirectory, default);
        content[^1] ^= 1;
        await File.WriteAllBytesAsync(wal, content);
        Assert.Contains($"holds '{segment}'", (await RefusedAsync(lab)).Message, StringComparison.Ordinal);
    }

    private static async Task<PgBackupException> RefusedAsync(RestoreLab lab)
    {
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => UnarchivedWal.RequireNoneAsync(lab.Repository, lab.Cluster.DataDirectory, default));
        Assert.Equal("WalNotArchived", error.Id);
        return error;
    }
}
