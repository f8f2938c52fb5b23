using System.Globalization;
using System.Text;
using PgBackup.Repository;
using PgBackup.Repository.Dumps;
using PgBackup.Storage;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Repository.Dumps;

public sealed class DumpCatalogTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private BackupRepository Repository => new(new DirectoryStore(_folder.Path), null);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task WhatIsPublishedIsListedOldestFirst()
    {
        DateTimeOffset start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
        DumpManifest[] written = [.. Enumerable.Range(0, 40).Select(i => Manifest(start.AddHours(i * 7 % 40), $"db {i}"))];
        foreach (DumpManifest manifest in written)
            await DumpDocuments.WriteManifestAsync(Repository, manifest);

        IReadOnlyList<DatabaseBackup> listed = await DumpCatalog.ListAsync(Repository);

        Assert.Equal(written.OrderBy(m => m.StartTime).Select(m => (m.Name, m.Database)), listed.Select(b => (b.Name, b.Database)));
        DatabaseBackup first = listed[0];
        Assert.Equal((BackupStatus.Complete, null, "before"), (first.Status, first.Problem, first.Label));
        Assert.Equal((110, 1100L), (first.Size!.Value.Bytes, first.UncompressedSize!.Value.Bytes));
        Assert.Equal((new Version(17, 6), BackupKind.Database, TimeSpan.FromMinutes(1)), (first.ServerVersion, first.Kind, first.Duration));
    }

    [Fact]
    public async Task AnEmptyRepositoryHasNone() => Assert.Empty(await DumpCatalog.ListAsync(Repository));

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("{\"version\":1}")]
    [InlineData("VERSION2")]
    [InlineData("OTHERNAME")]
    [InlineData("NOOBJECTS")]
    [InlineData("NULLOBJECT")]
    public async Task AManifestThatCannotBeReadMakesItsBackupDamaged(string content)
    {
        DumpManifest good = Manifest(DateTimeOffset.UtcNow.AddDays(-2), "good"), bad = Manifest(DateTimeOffset.UtcNow.AddDays(-1), "bad");
        await DumpDocuments.WriteManifestAsync(Repository, good);
        await DumpDocuments.WriteManifestAsync(Repository, bad);
        string path = _folder.Combine(DumpLayout.ManifestKey(bad.Name));
        string text = await File.ReadAllTextAsync(path);
        int objects = text.IndexOf("\"objects\"", StringComparison.Ordinal);
        await File.WriteAllTextAsync(path, content switch
        {
            "VERSION2" => text.Replace("\"version\": 1", "\"version\": 2", StringComparison.Ordinal),
            "OTHERNAME" => text.Replace(bad.Name, good.Name, StringComparison.Ordinal),
            "NOOBJECTS" => text[..objects] + "\"objects\": null }",
            "NULLOBJECT" => text[..objects] + "\"objects\": [null] }",
            _ => content,
        });

        IReadOnlyList<DatabaseBackup> listed = await DumpCatalog.ListAsync(Repository);

        Assert.Equal([(good.Name, BackupStatus.Complete), (bad.Name, BackupStatus.Damaged)], listed.Select(b => (b.Name, b.Status)));
        Assert.NotNull(listed[1].Problem);
        Assert.NotNull(listed[1].StartTime);
    }

    [Fact]
    public async Task WithoutAManifestWhatWasWrittenLatelyIsBeingWrittenAndTheRestIsLeftBehind()
    {
        string fresh = DumpLayout.NewName(DateTimeOffset.UtcNow.AddHours(-3)), quiet = DumpLayout.NewName(DateTimeOffset.UtcNow.AddHours(-2)), old = DumpLayout.NewName(DateTimeOffset.UtcNow.AddDays(-3));
        foreach (string name in new[] { fresh, quiet, old })
            await Repository.Store.PutAsync(DumpLayout.FolderOf(name) + "data/part_0001.tar", Encoding.ASCII.GetBytes("x"));
        File.SetLastWriteTimeUtc(_folder.Combine(DumpLayout.FolderOf(quiet) + "data/part_0001.tar"), DateTime.UtcNow.AddHours(-1));

        Assert.Equal([(old, BackupStatus.Unfinished), (fresh, BackupStatus.InProgress), (quiet, BackupStatus.Unfinished)], await StatesAsync());
    }

    [Fact]
    public async Task AnObjectInFlightIsASignOfLife()
    {
        string name = DumpLayout.NewName(DateTimeOffset.UtcNow.AddHours(-3));
        await using ObjectWriter writer = await Repository.Store.CreateAsync(DumpLayout.FolderOf(name) + "dump.sql");
        await writer.WriteAsync(new byte[10]);
        Assert.Equal([(name, BackupStatus.InProgress)], await StatesAsync());
    }

    [Fact]
    public async Task WhatIsNoBackupIsNoneAndEmptyFoldersAreGone()
    {
        Directory.CreateDirectory(_folder.Combine(DumpLayout.FolderOf(DumpLayout.NewName(DateTimeOffset.UtcNow))));
        await Repository.Store.PutAsync(DumpLayout.Folder + "notes/readme.txt", new byte[1]);
        await Repository.Store.PutAsync(DumpLayout.Folder + "readme.txt", new byte[1]);
        Assert.Empty(await StatesAsync());
    }

    [Fact]
    public void AFilterTakesWhatItsPropertiesSay()
    {
        DatabaseBackup[] all =
        [
            Manifest(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero), "shop").ToBackup("r"),
            Manifest(new DateTimeOffset(2026, 1, 2, 0, 0, 0, TimeSpan.Zero), "crm").ToBackup("r") with { Label = null },
            Manifest(new DateTimeOffset(2026, 1, 3, 0, 0, 0, TimeSpan.Zero), "shop").ToBackup("r") with { Status = BackupStatus.Damaged },
        ];
        Assert.Equal([all[0], all[2]], new BackupFilter { IsDatabase = name => name == "shop" }.Apply(all));
        Assert.Equal([all[0], all[2]], new BackupFilter { IsLabel = label => label == "before" }.Apply(all));
        Assert.Equal([all[1]], new BackupFilter { LatestOnly = true }.Apply(all));
        Assert.Equal([all[1], all[2]], new BackupFilter { Since = all[1].StartTime }.Apply(all));
        Assert.Equal([all[0]], new BackupFilter { Before = all[1].StartTime }.Apply(all));
        Assert.Equal([all[2]], new BackupFilter { IsNamed = name => name == all[2].Name }.Apply(all));
        Assert.Empty(new BackupFilter { Type = BackupType.Full }.Apply(all));
    }

    private static DumpManifest Manifest(DateTimeOffset start, string database) => new()
    {
        Version = DumpManifest.CurrentVersion,
        Name = DumpLayout.NewName(start),
        Content = DumpContent.Database,
        Database = database,
        Format = DumpFormat.Custom,
        Label = "before",
        StartTime = start,
        FinishTime = start.AddMinutes(1),
        SnapshotLsn = Lsn.Parse("0/16B3748", CultureInfo.InvariantCulture),
        Server = "localhost:5432",
        ServerVersion = 170006,
        ToolVersion = "17.6",
        WrittenBy = "PgBackup",
        Objects = [new DumpObject("dump.dump.zst", 100, 1000, "00"), new DumpObject("more.zst", 10, 100, "00")],
    };

    private async Task<(string, BackupStatus)[]> StatesAsync() => [.. (await DumpCatalog.ListAsync(Repository)).Select(b => (b.Name, b.Status))];
}
