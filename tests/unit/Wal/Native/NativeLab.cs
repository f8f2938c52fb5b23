using System.Diagnostics;
using PgBackup.Codecs;
using PgBackup.Configuration;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Wal.Native;

/// <summary>A data directory with a pg_wal whose files wait to be archived, a repository, and a spool; without a server.</summary>
internal sealed class NativeLab : IDisposable
{
    public NativeLab()
    {
        WalFolder = Directory.CreateDirectory(Path.Combine(DataFolder, "pg_wal")).FullName;
        Directory.CreateDirectory(Path.Combine(WalFolder, "archive_status"));
        Directory.CreateDirectory(RepositoryFolder);
        Environment = new() { ["PGBACKUP_REPOSITORY"] = RepositoryFolder, ["WALG_PREFETCH_DIR"] = SpoolRoot, ["HOME"] = Folder.Combine("home") };
    }

    public TempFolder Folder { get; } = new();

    public string DataFolder => Folder.Combine("data");

    public string WalFolder { get; }

    public string RepositoryFolder => Folder.Combine("repository");

    /// <summary>The folder that is configured for spools.</summary>
    public string SpoolRoot => Folder.Combine("spool");

    public Dictionary<string, string> Environment { get; }

    public RepositorySettings Settings => new(new DirectorySettings(RepositoryFolder), CompressionMethod.Zstd, null, null) { Wal = new WalSettings { SpoolFolder = SpoolRoot } };

    public BackupRepository Repository => BackupRepository.Open(Settings);

    /// <summary>The name of the n-th segment of 1 MB.</summary>
    public static string Name(int number) => WalSegmentName.Of(new TimelineId(1), (ulong)number, new WalSegmentSize(1 << 20)).ToString();

    public string PathOf(string name) => Path.Combine(WalFolder, name);

    /// <summary>Segments that wait.</summary>
    public string[] Ready(params IEnumerable<int> numbers) => [.. numbers.Select(number => Ready(Name(number), WalSamples.SegmentBytes(Name(number), seed: number)))];

    /// <summary>A file that waits; returns its name.</summary>
    public string Ready(string name, ReadOnlySpan<byte> content)
    {
        WalSamples.WriteFile(WalFolder, name, content);
        File.WriteAllText(StatusOf(name), "");
        return name;
    }

    /// <summary>What the server does when its command has succeeded.</summary>
    public void Done(string name) => File.Move(StatusOf(name), Path.ChangeExtension(StatusOf(name), null) + ".done");

    /// <summary>The names of what the spool remembers as stored.</summary>
    public string[] Remembered() => Directory.Exists(SpoolRoot)
        ? [.. Directory.GetFiles(SpoolRoot, "*", SearchOption.AllDirectories).Where(static path => path.Contains("/pushed/", StringComparison.Ordinal)).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)]
        : [];

    /// <summary>The file that remembers one.</summary>
    public string ReceiptOf(string name) => Directory.GetFiles(SpoolRoot, name, SearchOption.AllDirectories).Single(static path => path.Contains("/pushed/", StringComparison.Ordinal));

    /// <summary>The names of the archive's objects.</summary>
    public string[] Stored() => WalSamples.Names(Repository);

    /// <summary>Runs the command as the server does, in the data directory.</summary>
    public Task<ToolResult> RunAsync(params IEnumerable<string> arguments) => NativeCommand.RunAsync(DataFolder, Environment, arguments);

    /// <summary>Starts it and does not wait.</summary>
    public Process Start(params IEnumerable<string> arguments)
    {
        ProcessStartInfo start = NativeCommand.StartInfo(DataFolder, Environment, arguments);
        start.RedirectStandardError = true;
        return Process.Start(start)!;
    }

    public Task<ToolResult> PushAsync(string name) => RunAsync("push", $"pg_wal/{name}");

    /// <summary>The processes that fetch ahead for this lab's pg_wal.</summary>
    public int[] Prefetchers()
    {
        var found = new List<int>();
        foreach (string folder in Directory.GetDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), out int process))
                continue;
            try
            {
                if (File.ReadAllText(Path.Combine(folder, "cmdline")).Contains($"prefetch\0{WalFolder}", StringComparison.Ordinal))
                    found.Add(process);
            }
            catch (IOException)
            {
                // It ended in between.
            }
        }
        return [.. found];
    }

    public void Dispose()
    {
        NativeServerLab.Kill(Prefetchers());
        Folder.Dispose();
    }

    private string StatusOf(string name) => Path.Combine(WalFolder, "archive_status", name + ".ready");
}
