using System.Diagnostics;
using PgBackup.Codecs;
using PgBackup.Configuration;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Restore;
using PgBackup.Wal.Fetch;

namespace PgBackup.Tests.Wal.Native;

/// <summary>Real servers whose commands are the native command's; beside the archive every file that is archived is kept as it was when it was asked for.</summary>
internal sealed class NativeServerLab : IAsyncDisposable
{
    private readonly List<PostgresCluster> _clusters = [];

    public NativeServerLab()
    {
        ServerAccount.Current.Own(Folder.Path);
        foreach (string path in (string[])[RepositoryFolder, WalFolder, Folder.Combine("repository", "pgbackup_v1"), PlainFolder])
            ServerAccount.Current.CreateFolder(path, TempFolder.Traversable);
        Environment = new() { ["WALG_PREFETCH_DIR"] = Folder.Combine("spool") };
        Settings = new RepositorySettings(new DirectorySettings(RepositoryFolder), CompressionMethod.Zstd, null, null);
        Restores = RestoreLab.Without(BackupRepository.Open(Settings));
        Restores.RestoreCommand = RestoreCommand;
    }

    public TempFolder Folder { get; } = new();

    public string RepositoryFolder => Folder.Combine("repository");

    public string WalFolder => Folder.Combine("repository", "wal_005");

    public string PlainFolder => Folder.Combine("plain");

    /// <summary>What the fetches have said.</summary>
    public string FetchLog => Folder.Combine("fetch.log");

    public Dictionary<string, string> Environment { get; }

    public RepositorySettings Settings { get; set; }

    public BackupRepository Repository => BackupRepository.Open(Settings);

    /// <summary>Backups and restores of the repository.</summary>
    public RestoreLab Restores { get; }

    public string ArchiveCommand => $"{KeepCommand} && {PushCommand}";

    public string KeepCommand => $"cp '%p' '{PlainFolder}/%f'";

    public string PushCommand => $"{Variables} '{NativeCommand.Program}' push '%p' --repository '{Settings.Location}'";

    public string RestoreCommand => $"{Variables} '{NativeCommand.Program}' fetch '%f' '%p' --repository '{Settings.Location}' --verbose 2>>'{FetchLog}'";

    private string Variables => string.Join(' ', Environment.Select(static variable => $"{variable.Key}='{variable.Value}'"));

    /// <summary>Runs a server that archives.</summary>
    public async Task<PostgresCluster> RunAsync(PostgresClusterOptions? options = null)
    {
        options ??= new PostgresClusterOptions { WalSegmentMegabytes = 1 };
        var settings = new Dictionary<string, string>(options.Settings) { ["archive_mode"] = "on" };
        settings.TryAdd("archive_command", ArchiveCommand);
        return Keep(await PostgresCluster.RunAsync(options with { Settings = settings }));
    }

    /// <summary>Has a server go with the lab.</summary>
    public PostgresCluster Keep(PostgresCluster cluster)
    {
        _clusters.Add(cluster);
        return cluster;
    }

    /// <summary>Ends the segment and waits until it, and everything before, is in the archive.</summary>
    public async Task<string> ArchiveAsync(PostgresCluster cluster)
    {
        await cluster.ExecuteAsync("CREATE TABLE IF NOT EXISTS marks (t timestamptz); INSERT INTO marks VALUES (now())");
        string segment = await cluster.ScalarAsync<string>("SELECT pg_walfile_name(pg_switch_wal())");
        string ready = Path.Combine(cluster.DataDirectory, "pg_wal", "archive_status", segment + ".ready");
        string done = Path.ChangeExtension(ready, ".done");
        await UntilAsync(() => File.Exists(done) && !File.Exists(ready), TimeSpan.FromMinutes(2), () => File.ReadAllText(cluster.LogFile));
        return segment;
    }

    /// <summary>Proves that the archive holds each file that was archived, as it was; returns how many those are.</summary>
    public async Task<int> ProveArchiveAsync()
    {
        string target = Folder.Combine("proof");
        string[] plain = Directory.GetFiles(PlainFolder);
        foreach (string path in plain)
        {
            await WalFetch.FetchAsync(Repository, Path.GetFileName(path), target);
            Assert.True(File.ReadAllBytes(path).AsSpan().SequenceEqual(File.ReadAllBytes(target)), $"{Path.GetFileName(path)} is something else in the archive.");
        }
        return plain.Length;
    }

    /// <summary>The native processes of this lab that do one thing: push, fetch, prefetch.</summary>
    public IReadOnlyList<int> Processes(string verb)
    {
        var found = new List<int>();
        foreach (string folder in Directory.GetDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), out int process))
                continue;
            try
            {
                string line = File.ReadAllText(Path.Combine(folder, "cmdline"));
                // Every command names the repository, and that is the lab's own.
                if (line.StartsWith($"{NativeCommand.Program}\0{verb}\0", StringComparison.Ordinal) && line.Contains(Settings.Location, StringComparison.Ordinal))
                    found.Add(process);
            }
            catch (IOException)
            {
                // It ended in between.
            }
        }
        return found;
    }

    /// <summary>Kills processes of this lab.</summary>
    public static void Kill(IEnumerable<int> processes)
    {
        foreach (int id in processes)
        {
            try
            {
                using Process process = Process.GetProcessById(id);
                process.Kill();
            }
            catch (ArgumentException)
            {
                // It ended in between.
            }
        }
    }

    public static async Task UntilAsync(Func<bool> holds, TimeSpan patience, Func<string>? why = null)
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (!holds())
        {
            Assert.True(waited.Elapsed < patience, $"What was waited for did not come. {why?.Invoke()}");
            await Task.Delay(10);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Restores.DisposeAsync();
        foreach (PostgresCluster cluster in _clusters)
            await cluster.DisposeAsync();
        Kill([.. Processes("push"), .. Processes("fetch"), .. Processes("prefetch")]);
        Folder.Dispose();
    }
}
