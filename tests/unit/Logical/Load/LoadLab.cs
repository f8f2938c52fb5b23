using System.Diagnostics;
using System.IO.Hashing;
using System.Text.RegularExpressions;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Logical.Load;
using PgBackup.Postgres.Server;
using PgBackup.Repository;
using PgBackup.Repository.Dumps;
using PgBackup.Storage;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Logical.Load;

/// <summary>One server for the tests of this room, and what writes dumps for them: pg_dump itself.</summary>
public sealed partial class LoadLab : IAsyncLifetime
{
    private readonly TempFolder _folder = new();

    public PostgresCluster Cluster { get; private set; } = null!;

    public ServerConnectionSettings Server => new() { ConnectionString = Cluster.ConnectionString };

    public async Task InitializeAsync() => Cluster = await PostgresCluster.RunAsync();

    public async Task DisposeAsync()
    {
        await Cluster.StopAsync(); // Killed, it would leave its shared memory behind.
        await Cluster.DisposeAsync();
        _folder.Dispose();
    }

    public string NewPath(string extension = "") => _folder.Combine($"d{Path.GetRandomFileName()}{extension}");

    public LoadOptions Into(string database) => new() { Server = Server, TargetDatabase = database };

    /// <summary>Creates a database and runs statements in it.</summary>
    public async Task<string> CreateAsync(string name, string sql, string options = "")
    {
        await Cluster.ExecuteAsync($"CREATE DATABASE {SqlText.Identifier(name)} TEMPLATE template0 {options}");
        if (sql.Length > 0)
            await Cluster.ExecuteAsync(sql, name);
        return name;
    }

    /// <summary>Runs pg_dump to a file or folder and returns its path.</summary>
    public async Task<string> DumpAsync(string database, string format, params string[] more)
    {
        string path = NewPath();
        ProcessStartInfo start = Tool("pg_dump", [$"--format={format}", $"--file={path}", .. format is "c" or "d" ? ["--compress=0"] : Array.Empty<string>(), .. more]);
        start.Environment["PGDATABASE"] = database;
        (await ToolProcess.RunAsync(start)).EnsureSuccess();
        return path;
    }

    /// <summary>What pg_dump says of a database: equal texts are equal databases.</summary>
    public async Task<string> PictureAsync(string database, params string[] more)
    {
        ProcessStartInfo start = Tool("pg_dump", ["--format=p", "--encoding=UTF8", .. more]);
        start.Environment["PGDATABASE"] = database;
        return RestrictPattern().Replace((await ToolProcess.RunAsync(start)).EnsureSuccess().Output, "");
    }

    public ProcessStartInfo Tool(string name, IEnumerable<string> arguments)
    {
        ProcessStartInfo start = new(PostgresTools.Complete.Tool(name), arguments);
        start.Environment["PGHOST"] = "127.0.0.1";
        start.Environment["PGPORT"] = $"{Cluster.Port}";
        start.Environment["PGUSER"] = "postgres";
        return start;
    }

    public BackupRepository NewRepository() => new(new DirectoryStore(Directory.CreateDirectory(NewPath()).FullName), null);

    /// <summary>Stores a dump as the repository keeps it; the directory form as one tar for each file.</summary>
    internal static async Task<string> StoreAsync(BackupRepository repository, string path, DumpFormat format, string database, DumpContent content = DumpContent.Database, DatabaseTraits? traits = null)
    {
        string name = DumpLayout.NewName(DateTimeOffset.UtcNow);
        var objects = new List<DumpObject>();
        if (format == DumpFormat.Directory)
        {
            foreach (string file in Directory.GetFiles(path).Order(StringComparer.Ordinal))
            {
                using var tar = new MemoryStream();
                await using (var writer = new System.Formats.Tar.TarWriter(tar, leaveOpen: true))
                    await writer.WriteEntryAsync(file, Path.GetFileName(file));
                objects.Add(await PutAsync(repository, name, $"data/part_{objects.Count + 1:0000}.tar.zst", tar.ToArray()));
            }
        }
        else
        {
            string key = format switch { DumpFormat.Custom => "dump.dump.zst", DumpFormat.Tar => "dump.tar.zst", _ => content == DumpContent.Globals ? "globals.sql.zst" : "dump.sql.zst" };
            objects.Add(await PutAsync(repository, name, key, await File.ReadAllBytesAsync(path)));
        }
        await DumpDocuments.WriteManifestAsync(repository, new DumpManifest
        {
            Version = DumpManifest.CurrentVersion,
            Name = name,
            Content = content,
            Database = content == DumpContent.Globals ? null : database,
            Format = format,
            StartTime = DateTimeOffset.UtcNow,
            FinishTime = DateTimeOffset.UtcNow,
            Server = "db1:5432",
            ServerVersion = 150000,
            ToolVersion = "15.0",
            WrittenBy = "tests",
            Encoding = traits?.Encoding,
            Collate = traits?.Collate,
            CharacterType = traits?.CharacterType,
            Objects = objects,
        });
        return name;
    }

    /// <summary>Restores, and returns the result with the errors of objects.</summary>
    public static async Task<(DatabaseRestoreResult Result, List<PgBackupException> Errors)> RestoreAsync(
        DumpSource source, LoadOptions options, CancellationToken token = default, IOperationLog? log = null)
    {
        var errors = new List<PgBackupException>();
        await using (source)
            return (await DatabaseLoad.RunAsync(source, options, log ?? OperationLog.None, NoProgress.Instance, errors.Add, token), errors);
    }

    public Task<bool> HasDatabaseAsync(string name) => Cluster.ScalarAsync<bool>($"SELECT EXISTS (SELECT FROM pg_database WHERE datname = {SqlText.Literal(name)})");

    private static async Task<DumpObject> PutAsync(BackupRepository repository, string name, string key, byte[] content)
    {
        await ObjectEncoding.PutEncodedAsync(repository, DumpLayout.FolderOf(name) + key, CompressionMethod.Zstd, async (stream, token) => await stream.WriteAsync(content, token));
        return new DumpObject(key, content.Length, content.Length, Convert.ToHexStringLower(XxHash128.Hash(content)));
    }

    [GeneratedRegex(@"^\\(un)?restrict .*$", RegexOptions.Multiline)]
    private static partial Regex RestrictPattern();
}
