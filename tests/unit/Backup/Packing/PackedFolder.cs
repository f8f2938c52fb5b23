using PgBackup.Backup.Packing;
using PgBackup.Backup.Publishing;
using PgBackup.Backup.Reading;
using PgBackup.Codecs;
using PgBackup.Platform;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Backup.Packing;

/// <summary>A folder of real files, and the parts and the index that are made of it.</summary>
internal sealed class PackedFolder : IDisposable
{
    private readonly TempFolder _folder = new();

    public PackedFolder(CompressionMethod compression, EncryptionKey? key)
    {
        Directory.CreateDirectory(Source);
        Directory.CreateDirectory(_folder.Combine("repository"));
        Repository = new BackupRepository(new DirectoryStore(_folder.Combine("repository")), key, compression);
    }

    public string Source => _folder.Combine("data");

    public BackupRepository Repository { get; }

    public BackupName Name { get; } = BackupName.Full(WalSegmentName.Parse("000000010000000000000002"));

    public string PartFolder => Path.Combine(Repository.Location, RepositoryLayout.PartFolder(Name));

    /// <summary>Packs it as a backup does; <paramref name="onFill"/> runs before each frame is filled.</summary>
    public async Task PackAsync(long partSize, Func<FrameJob, Task>? onFill = null, CancellationToken cancellationToken = default)
    {
        using var collector = new FileListCollector();
        using PartEncoder encoder = PartEncoder.Create(Repository.Compression);
        var filler = new FrameFiller(encoder, null, new RateLimiter(null), notesVisible: false, OperationLog.None);
        var parts = new PartWriter(Repository, Name, encoder, collector);
        await using (parts)
        {
            await PackingPipeline.RunAsync(
                new FramePlanner(partSize, notesVisible: false, OperationLog.None).PlanAsync(new DataDirectoryWalker(Source, OperationLog.None).Walk().Select(SelectedMember.Whole).ToAsyncEnumerable(), cancellationToken),
                async (job, token) =>
                {
                    if (onFill is not null)
                        await onFill(job);
                    await filler.FillAsync(job, token);
                },
                parts.AppendAsync,
                workers: 3,
                cancellationToken);
            await parts.FlushAsync();
        }
        await collector.WriteIndexAsync(Repository, Name, cancellationToken);
    }

    /// <summary>How many of the files are open in this process.</summary>
    public int OpenFiles() =>
        new DirectoryInfo("/proc/self/fd").EnumerateFiles().Count(f => f.LinkTarget?.StartsWith(Source + "/", StringComparison.Ordinal) == true);

    public void Dispose() => _folder.Dispose();
}
