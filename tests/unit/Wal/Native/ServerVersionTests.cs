using PgBackup.Codecs;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Kit.Stores;
using PgBackup.TestServers;

namespace PgBackup.Tests.Wal.Native;

/// <summary>Every major version, with codecs, sizes of segments, a key, and a bucket in turn.</summary>
public sealed class ServerVersionTests
{
    [Theory]
    [InlineData(13, 1, "zstd", false, false)]
    [InlineData(14, 16, "lz4", false, false)]
    [InlineData(15, 64, "none", false, false)]
    [InlineData(16, 1, "zstd", true, false)]
    [InlineData(17, 1, "lz4", true, true)]
    [InlineData(18, 16, "zstd", false, true)]
    public async Task WhatAServerArchivesIsFetchedAsItWas(int major, int segmentMegabytes, string method, bool isEncrypted, bool isBucket)
    {
        await using var lab = new NativeServerLab();
        lab.Environment["WALG_COMPRESSION_METHOD"] = method;
        lab.Settings = lab.Settings with { Compression = Enum.Parse<CompressionMethod>(method, ignoreCase: true) };
        if (isEncrypted)
        {
            lab.Environment["WALG_LIBSODIUM_KEY"] = WalSamples.HexKey;
            lab.Environment["WALG_LIBSODIUM_KEY_TRANSFORM"] = "hex";
            lab.Settings = lab.Settings with { Key = EncryptionKey.FromSettings(WalSamples.HexKey, KeyTransform.Hex) };
        }
        if (isBucket)
        {
            StoreServer server = await TestStores.CephAsync();
            lab.Settings = lab.Settings with { Storage = await server.NewBucketAsync("repository") };
            foreach ((string name, string value) in (IEnumerable<(string, string)>)
            [
                ("AWS_ENDPOINT", server.Endpoint.AbsoluteUri.TrimEnd('/')), ("AWS_REGION", "us-east-1"), ("AWS_S3_FORCE_PATH_STYLE", "true"),
                ("AWS_ACCESS_KEY_ID", server.AccessKey), ("AWS_SECRET_ACCESS_KEY", server.SecretKey),
            ])
                lab.Environment[name] = value;
        }
        PostgresCluster cluster = await lab.RunAsync(new PostgresClusterOptions { Tools = PostgresTools.OfMajor(major), WalSegmentMegabytes = segmentMegabytes });
        for (int i = 0; i < 3; i++)
        {
            await cluster.ExecuteAsync($"CREATE TABLE t{i} AS SELECT generate_series(1, 5000) AS n");
            await lab.ArchiveAsync(cluster);
        }
        Assert.True(await lab.ProveArchiveAsync() >= 3);

        // By the native command as well, and of what it fetches ahead.
        string target = lab.Folder.Combine("target");
        ServerAccount.Current.CreateFolder(target);
        foreach (string path in Directory.GetFiles(lab.PlainFolder).Order(StringComparer.Ordinal))
        {
            string command = lab.RestoreCommand.Replace("%f", Path.GetFileName(path), StringComparison.Ordinal).Replace("%p", Path.Combine(target, "RECOVERYXLOG"), StringComparison.Ordinal);
            ToolResult fetched = await ServerAccount.Current.RunAsync("/bin/sh", ["-c", command]);
            Assert.True(fetched.ExitCode == 0, File.Exists(lab.FetchLog) ? File.ReadAllText(lab.FetchLog) : fetched.Error);
            Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(Path.Combine(target, "RECOVERYXLOG")));
        }
        Assert.Equal([Path.Combine(target, "RECOVERYXLOG")], Directory.GetFiles(target));
    }
}
