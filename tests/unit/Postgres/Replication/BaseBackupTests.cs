using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using PgBackup.Backup.Remote;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Postgres;
using PgBackup.Postgres.Replication;
using PgBackup.Postgres.Server;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Postgres.Replication;

/// <summary>BASE_BACKUP of real servers, all supported versions.</summary>
public sealed class BaseBackupTests
{
    public static TheoryData<int> Majors => [.. PostgresTools.Majors];

    [Theory]
    [MemberData(nameof(Majors))]
    public async Task EveryVersionSendsItsFilesItsManifestAndItsEnds(int major)
    {
        await using PostgresCluster cluster = await PostgresCluster.RunAsync(new PostgresClusterOptions { Tools = PostgresTools.OfMajor(major) });
        string location = await cluster.CreateTablespaceAsync("one");
        await cluster.CreateTablespaceAsync("two");
        await cluster.ExecuteAsync("CREATE TABLE t TABLESPACE one AS SELECT g, repeat('x', 500) FROM generate_series(1, 4000) g");
        await cluster.ExecuteAsync("CREATE UNLOGGED TABLE u AS SELECT 1 AS n");
        foreach (CompressionMethod[] compressions in (CompressionMethod[][])[[], [CompressionMethod.Zstd, CompressionMethod.Lz4], [CompressionMethod.Lz4], [CompressionMethod.Gzip]])
        {
            await using ReplicationConnection connection = await ReplicationConnection.OpenAsync(Settings(cluster));
            Assert.Equal(major, connection.MajorVersion);
            BaseBackupStream backup = await connection.StartBaseBackupAsync(new BaseBackupRequest { Label = "it's a \"label\"", Compressions = compressions });
            if (major >= 15 && compressions is [CompressionMethod.Gzip])
                Assert.Equal(CompressionMethod.Gzip, backup.Compression);
            Assert.Equal(3, backup.Tablespaces.Count);
            Assert.Contains(backup.Tablespaces, t => t.Location == location && t.Size > 2 << 20);

            Dictionary<string, (long Size, uint Crc)> files = [];
            byte[]? manifest = null;
            List<string> main = [];
            while (await backup.NextAsync() is { } archive)
            {
                if (archive.IsManifest)
                    manifest = await ReadAsync(archive.Content);
                else
                    await ReadTarAsync(archive, files, archive.Tablespace!.Oid is null ? main : []);
            }
            Assert.Equal("backup_label", main[0]);
            Assert.Equal("tablespace_map", main[1]);
            Assert.Equal("global/pg_control", main[^1]);
            CheckManifest(manifest!, files);
            Assert.NotNull(backup.End);
            Assert.True(backup.End.Lsn > backup.StartLsn);
            Assert.Equal((1u, 1u, false), (backup.Timeline.Value, backup.End.Timeline.Value, backup.End.DamagedPages));
            // The connection is usable again.
            SystemIdentity identity = await connection.IdentifySystemAsync();
            Assert.True(identity.FlushLsn >= backup.StartLsn);
        }
    }

    [Fact]
    public async Task DamagedPagesAreSaidAndAllIsSentNonetheless()
    {
        await using PostgresCluster cluster = await PostgresCluster.RunAsync();
        await cluster.ExecuteAsync("CREATE TABLE t AS SELECT g FROM generate_series(1, 10000) g; CHECKPOINT");
        string path = Path.Combine(cluster.DataDirectory, await cluster.ScalarAsync<string>("SELECT pg_relation_filepath('t')"));
        await cluster.StopAsync();
        byte[] content = await File.ReadAllBytesAsync(path);
        content[8192 + 4000] ^= 1;
        await File.WriteAllBytesAsync(path, content);
        await cluster.StartAsync();
        var log = new CollectingLog();
        await using ReplicationConnection connection = await ReplicationConnection.OpenAsync(Settings(cluster), log);
        BaseBackupStream backup = await connection.StartBaseBackupAsync(new BaseBackupRequest());
        while (await backup.NextAsync() is not null)
        {
        }
        Assert.True(backup.End!.DamagedPages);
        Assert.Contains(log.Lines, l => l.Level == LogLevel.Warning && l.Message.Contains("block 1", StringComparison.Ordinal));
        await connection.IdentifySystemAsync();
    }

    [Fact]
    public async Task ARateIsKeptAndACancelledBackupLeavesNothingInTheServer()
    {
        await using PostgresCluster cluster = await PostgresCluster.RunAsync();
        using var stop = new CancellationTokenSource();
        await using (ReplicationConnection connection = await ReplicationConnection.OpenAsync(Settings(cluster)))
        {
            // 22 MB at 1 MB a second would take 22 s.
            BaseBackupStream backup = await connection.StartBaseBackupAsync(new BaseBackupRequest { MaxRate = new ByteSize(1 << 20) });
            BaseBackupArchive archive = (await backup.NextAsync())!;
            stop.CancelAfter(500);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => archive.Content.CopyToAsync(Stream.Null, stop.Token));
        }
        for (int tries = 0; await cluster.ScalarAsync<long>("SELECT count(*) FROM pg_stat_replication") > 0; tries++)
        {
            Assert.True(tries < 300, "The server still sends.");
            await Task.Delay(100);
        }
    }

    [Fact]
    public async Task AServerThatGoesIsAnErrorThatSaysSo()
    {
        await using PostgresCluster cluster = await PostgresCluster.RunAsync();
        await using ReplicationConnection connection = await ReplicationConnection.OpenAsync(Settings(cluster));
        BaseBackupStream backup = await connection.StartBaseBackupAsync(new BaseBackupRequest { MaxRate = new ByteSize(1 << 20) });
        BaseBackupArchive archive = (await backup.NextAsync())!;
        Task reading = archive.Content.CopyToAsync(Stream.Null);
        await cluster.Kill9Async();
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => reading);
        Assert.Equal("ServerConnectionLost", error.Id);
        error = await Assert.ThrowsAsync<PgBackupException>(() => connection.IdentifySystemAsync());
        Assert.Equal("ServerConnectionLost", error.Id);
    }

    [Theory]
    [InlineData(13)]
    [InlineData(15)]
    public async Task AConnectionThatWaitsForItsBackupIsNotEnded(int major)
    {
        await using PostgresCluster cluster = await PostgresCluster.RunAsync(new PostgresClusterOptions
        {
            Tools = PostgresTools.OfMajor(major),
            Settings = new Dictionary<string, string>(major < 14 ? [] : [new("idle_session_timeout", "500ms")]),
        });
        ServerConnectionSettings settings = new() { ConnectionString = cluster.ConnectionString + ";Options=-c work_mem=3MB" };
        await using ServerSession session = await ServerSession.OpenAsync(settings);
        await using ReplicationConnection connection = await ReplicationConnection.OpenBesideAsync(session, settings);
        await Task.Delay(1500);
        Assert.Equal("3MB", await connection.ShowAsync("work_mem"));
    }

    [Fact]
    public async Task WithoutWalLevelTheServerRefuses()
    {
        await using PostgresCluster cluster = await PostgresCluster.RunAsync(new PostgresClusterOptions
        {
            Settings = new Dictionary<string, string> { ["wal_level"] = "minimal", ["max_wal_senders"] = "0" },
        });
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => ReplicationConnection.OpenAsync(Settings(cluster)));
        Assert.Equal("ServerConnectionFailed", error.Id);
    }

    private static ServerConnectionSettings Settings(PostgresCluster cluster) => new() { ConnectionString = cluster.ConnectionString };

    private static async Task<byte[]> ReadAsync(Stream stream)
    {
        using var memory = new MemoryStream();
        await stream.CopyToAsync(memory);
        return memory.ToArray();
    }

    private static async Task ReadTarAsync(BaseBackupArchive archive, Dictionary<string, (long, uint)> files, List<string> names)
    {
        string prefix = archive.Tablespace!.Oid is { } oid ? $"pg_tblspc/{oid}/" : "";
        var tar = new ServerTar(archive.Content);
        while (await tar.NextAsync(default) is { } member)
        {
            string name = Encoding.UTF8.GetString(member.Name);
            names.Add(name);
            byte[] content = new byte[member.Size];
            Assert.Equal(content.Length, await tar.ReadAsync(content, default));
            if (member.Kind == ServerTarKind.File)
                files.Add(prefix + name, (content.Length, Crc32C.Compute(content)));
        }
    }

    private static void CheckManifest(byte[] manifest, Dictionary<string, (long Size, uint Crc)> files)
    {
        using JsonDocument document = JsonDocument.Parse(manifest);
        JsonElement listed = document.RootElement.GetProperty("Files");
        Assert.Equal(files.Count, listed.GetArrayLength());
        foreach (JsonElement file in listed.EnumerateArray())
        {
            (long size, uint crc) = files[file.GetProperty("Path").GetString()!];
            Assert.Equal(file.GetProperty("Size").GetInt64(), size);
            byte[] bytes = BitConverter.GetBytes(crc);
            Assert.Equal(file.GetProperty("Checksum").GetString(), Convert.ToHexStringLower(bytes));
        }
        int end = Encoding.UTF8.GetString(manifest).LastIndexOf("\"Manifest-Checksum\"", StringComparison.Ordinal);
        Assert.Equal(document.RootElement.GetProperty("Manifest-Checksum").GetString(), Convert.ToHexStringLower(SHA256.HashData(manifest.AsSpan(0, end))));
    }

    private sealed class CollectingLog : IOperationLog
    {
        public List<(LogLevel Level, string Message)> Lines { get; } = [];

        public void Write(LogLevel level, string message) => Lines.Add((level, message));
    }
}
