using System.Text.Json;
using PgBackup.Copy;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Restore.Planning;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Restore;

namespace PgBackup.Tests.Copy;

/// <summary>Two folders to copy between, and the shortest way to do it.</summary>
internal sealed class CopyLab : IDisposable
{
    private readonly TempFolder _folder = new();

    public CopyLab(BackupRepository? source = null)
    {
        Source = source ?? new BackupRepository(new DirectoryStore(_folder.Combine("source")), null);
        Target = new BackupRepository(new DirectoryStore(TargetPath), Source.Key);
    }

    public BackupRepository Source { get; set; }

    public BackupRepository Target { get; set; }

    public TempFolder Folder => _folder;

    public string SourcePath => Source.Location;

    public string TargetPath => _folder.Combine("target");

    public List<string> Warnings { get; } = [];

    /// <summary>A lab whose source is a copy of a fixture, to be damaged at will.</summary>
    public static CopyLab Of(WalgFixture fixture)
    {
        var lab = new CopyLab();
        lab.Source = fixture.Open(fixture.CopyTo(lab._folder));
        lab.Target = lab.Target with { Key = lab.Source.Key };
        return lab;
    }

    public Task<IReadOnlyList<ClusterBackup>> SourceCatalogAsync() => BackupCatalog.ListAsync(Source);

    /// <summary>What the target lists; nothing where there is no target yet.</summary>
    public async Task<IReadOnlyList<ClusterBackup>> TargetCatalogAsync() => Directory.Exists(TargetPath) ? await BackupCatalog.ListAsync(Target) : [];

    public async Task<RepositoryCopy> PrepareAsync(IEnumerable<string>? names = null, CopyOptions? options = null, CancellationToken cancellationToken = default)
    {
        IReadOnlyList<ClusterBackup> catalog = await SourceCatalogAsync();
        ClusterBackup[] wanted = [.. catalog.Where(b => names is null || names.Contains(b.Name))];
        return await RepositoryCopy.PrepareAsync(Source, Target, wanted, catalog, options, new Listener(Warnings), cancellationToken: cancellationToken);
    }

    public async Task<List<BackupCopyResult>> CopyAsync(IEnumerable<string>? names = null, CopyOptions? options = null, CancellationToken cancellationToken = default)
    {
        await using RepositoryCopy copy = await PrepareAsync(names, options, cancellationToken);
        List<BackupCopyResult> results = [.. copy.Refused];
        await foreach (BackupCopyResult result in copy.RunAsync(cancellationToken))
            results.Add(result);
        return results;
    }

    /// <summary>Every backup that the target lists is proven by the planner of a restore to reach its own end, and its objects are the source's, byte for byte.</summary>
    public async Task RequireRestorableAsync(bool plan = true)
    {
        var compared = new List<string>(Files(Target.Location, "wal_005"));
        foreach (ClusterBackup backup in await TargetCatalogAsync())
        {
            if (backup.Status != BackupStatus.Complete)
                continue;
            if (plan)
                await RestorePlanner.PlanAsync(Target, new RestoreRequest { Target = RestoreTarget.Immediate, Name = backup.Name, RestoreCommand = "false" });
            string folder = $"basebackups_005/{backup.Name}";
            Assert.Equal(Files(SourcePath, folder), Files(Target.Location, folder));
            compared.AddRange([.. Files(Target.Location, folder), folder + RepositoryLayout.SentinelSuffix]);
        }
        foreach (string file in compared)
            Assert.Equal(await File.ReadAllBytesAsync(Path.Combine(SourcePath, file)), await File.ReadAllBytesAsync(Path.Combine(Target.Location, file)));
    }

    public static string[] Files(string root, string folder)
    {
        string path = Path.Combine(root, folder);
        return Directory.Exists(path) ? [.. Directory.GetFiles(path, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(root, f)).Order(StringComparer.Ordinal)] : [];
    }

    public static string[] Wal(string root) => [.. Files(root, "wal_005").Select(f => Path.GetFileName(f))];

    /// <summary>Puts an object as it is.</summary>
    public static void Put(string root, string key, byte[] content)
    {
        string path = Path.Combine(root, key);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, content);
    }

    /// <summary>Makes a backup of random bytes whose documents are in order; its segments have 16 MB, number <paramref name="segment"/> to <paramref name="last"/>.</summary>
    public static string PutBackup(string root, uint timeline, ulong segment, ulong last, string? parent = null, ulong? parentStart = null, ulong cluster = 77, Random? random = null)
    {
        random ??= Random.Shared;
        WalSegmentName start = WalSegmentName.Of(new TimelineId(timeline), segment, WalSegmentSize.Default);
        BackupName name = BackupName.Full(start);
        if (parent is not null)
        {
            Assert.True(BackupName.TryParse(parent, out BackupName? parentName));
            name = BackupName.Delta(start, parentName.Segment);
        }
        var begun = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero).AddMinutes(segment + (timeline * 1000));
        var sentinel = new BackupSentinel
        {
            StartLsn = (segment * 16 << 20) + 0x28, FinishLsn = (last * 16 << 20) + 0x100, PgVersion = 150000, SystemIdentifier = cluster, Version = 2,
            StartTime = begun, FinishTime = begun.AddSeconds(30), DeltaFrom = parent, DeltaLsn = parentStart, DeltaFullName = parent, DeltaCount = parent is null ? null : 1,
        };
        byte[] Content(int length)
        {
            byte[] content = new byte[length];
            random.NextBytes(content);
            return Marked(content, ".zst");
        }
        string folder = $"basebackups_005/{name}/";
        Put(root, folder + "tar_partitions/part_001.tar.zst", Content(random.Next(100, 5000)));
        Put(root, folder + "tar_partitions/part_003.tar.zst", Content(random.Next(100, 5000)));
        Put(root, folder + "tar_partitions/pg_control.tar.zst", Content(200));
        Put(root, folder + "files_metadata.json", "{}"u8.ToArray());
        Put(root, folder + "metadata.json", JsonSerializer.SerializeToUtf8Bytes(new ExtendedMetadata { StartLsn = sentinel.StartLsn }, RepositoryJson.Default.ExtendedMetadata));
        string key = RepositoryLayout.SentinelKey(name);
        Put(root, key, JsonSerializer.SerializeToUtf8Bytes(sentinel, RepositoryJson.Default.BackupSentinel));
        File.SetLastWriteTimeUtc(Path.Combine(root, key), begun.UtcDateTime);
        return name.Text;
    }

    public static string Segment(uint timeline, ulong number) => WalSegmentName.Of(new TimelineId(timeline), number, WalSegmentSize.Default).ToString();

    public static void PutWal(string root, string name, int length = 300)
    {
        byte[] content = new byte[length];
        Random.Shared.NextBytes(content);
        Put(root, "wal_005/" + name, Marked(content, Path.GetExtension(name)));
    }

    // Begins as its codec does, else it would look encrypted.
    private static byte[] Marked(byte[] content, string extension)
    {
        ReadOnlySpan<byte> mark = extension switch { ".zst" => [0x28, 0xB5, 0x2F, 0xFD], ".lz4" => [0x04, 0x22, 0x4D, 0x18], _ => [] };
        mark[..Math.Min(mark.Length, content.Length)].CopyTo(content);
        return content;
    }

    public static async Task<PgBackupException> RefusedAsync(Func<Task> action, string id)
    {
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(action);
        Assert.Equal(id, error.Id);
        Assert.NotEmpty(error.Hint);
        return error;
    }

    public void Dispose() => _folder.Dispose();

    private sealed class Listener(List<string> warnings) : IOperationLog
    {
        public void Write(LogLevel level, string message)
        {
            if (level == LogLevel.Warning)
                warnings.Add(message);
        }
    }
}
