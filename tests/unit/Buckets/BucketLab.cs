using System.Collections.Concurrent;
using PgBackup.Codecs;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Storage.S3;
using PgBackup.Tests.Kit.Stores;
using PgBackup.Tests.Restore;
using PgBackup.Wal.Push;

namespace PgBackup.Tests.Buckets;

/// <summary>A cluster whose backups go into a bucket, and whose archive is pushed there as the server hands it over.</summary>
internal sealed class BucketLab : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<string, bool> _pushed = new(StringComparer.Ordinal);
    private readonly Task _pushing;

    private BucketLab(RestoreLab lab, S3Settings settings)
    {
        Lab = lab;
        Settings = settings;
        _pushing = Task.Run(PushAsync);
    }

    public RestoreLab Lab { get; }

    public S3Settings Settings { get; }

    public BackupRepository Repository => Lab.Repository;

    public static async Task<BucketLab> StartAsync(string kind, EncryptionKey? key = null, CompressionMethod compression = CompressionMethod.Zstd)
    {
        // Small parts: what a test has is then uploaded in several.
        S3Settings settings = (await (await TestStores.StartedAsync(kind)).NewBucketAsync("some/prefix")) with { PartSize = 5 << 20 };
        RestoreLab lab = await RestoreLab.StartAsync();
        lab.Repository = new BackupRepository(ObjectStores.Open(settings), key, compression);
        return new BucketLab(lab, settings);
    }

    /// <summary>Ends the segment and waits until it is in the bucket.</summary>
    public async Task ArchiveAsync()
    {
        await Lab.ArchiveAsync();
        while (Directory.GetFiles(Lab.WalFolder).Select(Path.GetFileName).Any(name => name![0] != '.' && !_pushed.ContainsKey(name)))
        {
            if (_pushing.IsCompleted)
                await _pushing;
            await Task.Delay(20);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _pushing;
        await Lab.DisposeAsync();
        _stop.Dispose();
    }

    private async Task PushAsync()
    {
        try
        {
            while (true)
            {
                foreach (string path in Directory.GetFiles(Lab.WalFolder).Where(p => Path.GetFileName(p)[0] != '.').Order(StringComparer.Ordinal))
                {
                    if (_pushed.ContainsKey(Path.GetFileName(path)))
                        continue;
                    await WalPush.PushAsync(Repository, path, cancellationToken: _stop.Token);
                    _pushed[Path.GetFileName(path)] = true;
                }
                await Task.Delay(20, _stop.Token);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The test is over.
        }
    }
}
