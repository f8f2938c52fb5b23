using System.Buffers.Binary;
using PgBackup.Backup;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Restore.Fetching;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Restore;
using PgBackup.Tests.Wal;
using PgBackup.Wal.Fetch;
using PgBackup.Wal.Push;

namespace PgBackup.Tests.Backup;

/// <summary>What an encrypted backup shows, and whether its end can be taken away.</summary>
public sealed class EncryptedBackupTests
{
    private const int Chunk = 8192;
    private const int EmptyFinalChunk = 17;

    private static readonly EncryptionKey s_key = EncryptionKey.FromSettings(WalSamples.HexKey, KeyTransform.Hex);

    [Fact]
    public async Task NoNameOfTheDatabaseIsInAnyStoredByte()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync(new PostgresClusterOptions { SeparateConfiguration = true }, s_key);
        File.AppendAllText(Path.Combine(source.Cluster.ConfigurationDirectory, "postgresql.conf"), "\n# canary in a comment\n");
        foreach (string sql in new[]
        {
            "CREATE ROLE canary_role", "CREATE DATABASE canary_database", "CREATE SCHEMA canary_schema",
            "CREATE TABLE canary_schema.canary_table AS SELECT 'canary-content' AS canary_column FROM generate_series(1, 1000)",
        })
            await source.Cluster.ExecuteAsync(sql);
        var log = new RecordingLog();
        await source.BackUpAsync(log: log);
        // The server's cp has archived in plain text; what a push makes of the same files is looked at.
        using TempFolder staging = new();
        string archive = Path.Combine(source.RepositoryPath, "wal_005");
        await source.WaitForArchiveAsync();
        foreach (string file in Directory.GetFiles(archive))
        {
            string plain = staging.Combine(Path.GetFileName(file));
            File.Move(file, plain);
            await WalPush.PushAsync(source.Repository, plain);
        }

        int checkedObjects = 0;
        foreach (string path in Directory.EnumerateFiles(source.RepositoryPath, "*", SearchOption.AllDirectories))
        {
            byte[] content = File.ReadAllBytes(path);
            Assert.True(content.AsSpan().IndexOf("canary"u8) < 0, path);
            Assert.True(content.AsSpan().IndexOf(s_key.Bytes) < 0, path);
            checkedObjects++;
        }
        Assert.True(checkedObjects > 8);
        Assert.Contains(Directory.EnumerateFiles(source.RepositoryPath, "pgbackup_config*", SearchOption.AllDirectories), _ => true);
        Assert.DoesNotContain(Enum.GetValues<LogLevel>().SelectMany(log.Of), line => line.Contains(WalSamples.HexKey, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task AnObjectWithoutItsLastChunkIsReadByNobody()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync(new PostgresClusterOptions { SeparateConfiguration = true }, s_key);
        BackupResult result = await source.BackUpAsync();
        BackupName.TryParse(result.Name, out BackupName? name);
        string parts = Path.Combine(source.RepositoryPath, RepositoryLayout.PartFolder(name!));
        using TempFolder folder = new();
        int number = 0;
        foreach (string path in Directory.GetFiles(parts))
        {
            byte[] original = File.ReadAllBytes(path);
            byte[] whole = Reseal(original);
            File.WriteAllBytes(path, whole);
            // The index knows the part by another size: read it by streaming, as wal-g's.
            string index = Path.Combine(source.RepositoryPath, RepositoryLayout.IndexKey(name!));
            if (File.Exists(index))
                File.Delete(index);
            await FetchTests.FetchAsync(source.Repository, [result.Name], folder.Combine($"whole-{++number}"));
            File.WriteAllBytes(path, whole[..^EmptyFinalChunk]);
            PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => FetchTests.FetchAsync(source.Repository, [result.Name], folder.Combine($"cut-{number}")));
            Assert.Equal("BackupDamaged", error.Id);
            File.WriteAllBytes(path, original);
        }
        Assert.True(number >= 3);
    }

    [Fact]
    public async Task NeitherIsAnIndexNorKeptConfigurationNorASegment()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync(new PostgresClusterOptions { SeparateConfiguration = true }, s_key);
        BackupResult result = await source.BackUpAsync();
        BackupName.TryParse(result.Name, out BackupName? name);
        using TempFolder folder = new();
        string segment = WalSamples.WriteSegment(folder.Combine("pg_wal"));
        BackupRepository archive = WalSamples.Repository(folder.Combine("archive"), CompressionMethod.Zstd, WalSamples.HexKey);
        string stored = (await WalPush.PushAsync(archive, segment)).Key;
        foreach ((BackupRepository repository, string key, Func<Task> read) in new (BackupRepository, string, Func<Task>)[]
        {
            (source.Repository, RepositoryLayout.IndexKey(name!), () => ReadIndexAsync(source.Repository, name!)),
            (source.Repository, RepositoryLayout.ConfigurationKey(name!), () => ReadConfigurationAsync(source.Repository, name!, folder.Combine($"into-{Guid.NewGuid():N}"))),
            (archive, stored, () => WalFetch.FetchAsync(archive, WalSamples.Segment, folder.Combine("out"))),
        })
        {
            string path = Path.Combine(repository.Location, key);
            byte[] whole = Reseal(File.ReadAllBytes(path));
            File.WriteAllBytes(path, whole);
            await read();
            File.WriteAllBytes(path, whole[..^EmptyFinalChunk]);
            Assert.Equal("ObjectDamaged", (await Assert.ThrowsAsync<PgBackupException>(read)).Id);
        }
    }

    private static async Task ReadIndexAsync(BackupRepository repository, BackupName name)
    {
        await using PartIndexReader? index = await PartIndexReader.TryOpenAsync(repository, name);
        await foreach (PgBackup.Repository.Documents.IndexedPart _ in index!.ReadPartsAsync())
        {
        }
    }

    private static async Task ReadConfigurationAsync(BackupRepository repository, BackupName name, string target)
    {
        using var destination = new RestoreDestination(target, [], null);
        destination.Prepare("test");
        await PgBackup.Restore.Starting.KeptConfigurationFiles.EnsureAsync(repository, name, null, destination, default);
    }

    /// <summary>
    /// The same content, filled up by an empty frame to whole chunks: the last chunk is then empty, and nothing but the mark of the end is lost with it.
    /// </summary>
    private static byte[] Reseal(byte[] stored)
    {
        using var plain = new MemoryStream();
        using (Stream reader = ObjectDecryption.With(s_key).Open(new MemoryStream(stored), "x"))
            reader.CopyTo(plain);
        // A skippable frame: magic, length, content (RFC 8878, 3.1.2).
        int fill = (int)(Chunk - (plain.Length + 8) % Chunk) % Chunk;
        byte[] frame = new byte[8 + fill];
        BinaryPrimitives.WriteUInt32LittleEndian(frame, 0x184D2A50);
        BinaryPrimitives.WriteInt32LittleEndian(frame.AsSpan(4), fill);
        plain.Write(frame);
        var target = new MemoryStream();
        using (var writer = new SecretStreamWriter(target, s_key, leaveOpen: true))
            writer.Write(plain.ToArray());
        return target.ToArray();
    }
}
