using PgBackup.Tests.Kit;

namespace PgBackup.Bench;

/// <summary>What every run stands on: a temporary folder, a cluster in it, stopwatches, and our module where the server's account can read it. Gone when it is disposed.</summary>
internal sealed class Ground : IAsyncDisposable
{
    private readonly TempFolder _folder;

    private Ground(TempFolder folder, PostgresCluster cluster, PowerShellModule module)
    {
        _folder = folder;
        Cluster = cluster;
        Module = module;
    }

    /// <summary>The cluster that is backed up.</summary>
    public PostgresCluster Cluster { get; }

    /// <summary>Our module.</summary>
    public PowerShellModule Module { get; }

    /// <summary>What measures all processes.</summary>
    public Stopwatches Stopwatches => Module.Stopwatches;

    /// <summary>The bytes that a backup has to store.</summary>
    public long DataBytes => Sizes.Of(Cluster.DataDirectory) - Sizes.Of(Path.Combine(Cluster.DataDirectory, "pg_wal"));

    /// <summary>The machine and the server in words.</summary>
    public string Description => $"Machine: {Machine.Describe(_folder.Path)}, PostgreSQL {Cluster.Tools.Version}.";

    /// <summary>Makes it all; takes most of a minute.</summary>
    public static async Task<Ground> CreateAsync(BenchOptions options, PostgresTools server, CancellationToken cancellationToken)
    {
        TempFolder folder = new();
        try
        {
            ServerAccount.Current.Own(folder.Path);
            Stopwatches stopwatches = new(Tools.Find("time"), Own(folder, "time"));
            stopwatches.Environment["HOME"] = Own(folder, "home");
            stopwatches.Environment["POWERSHELL_TELEMETRY_OPTOUT"] = "1";
            stopwatches.Environment["POWERSHELL_UPDATECHECK"] = "Off";
            // The tree may lie where the server's account cannot read it.
            string module = Directory.CreateDirectory(folder.Combine("module", "PgBackup")).FullName;
            (await ToolProcess.RunAsync(new("cp", ["-rT", options.Module, module]), cancellationToken)).EnsureSuccess();
            ServerAccount.Current.Own(folder.Combine("module"));
            Console.WriteLine($"Making a cluster of PostgreSQL {server.Version}: pgbench at scale {options.Scale}, {options.DocumentMegabytes} MB of documents");
            PostgresCluster cluster = await BenchCluster.CreateAsync(options, server, cancellationToken);
            return new Ground(folder, cluster, new PowerShellModule(stopwatches, options.PowerShell, module));
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <summary>A folder of the server's account.</summary>
    public string CreateFolder(string name) => Own(_folder, name);

    /// <summary>The same start for everybody: nothing waits to be written.</summary>
    public async Task FlushAsync(CancellationToken cancellationToken) =>
        (await ToolProcess.RunAsync(new("sync", ["-f", Cluster.Folder]), cancellationToken)).EnsureSuccess();

    public async ValueTask DisposeAsync()
    {
        await Cluster.DisposeAsync();
        _folder.Dispose();
    }

    private static string Own(TempFolder folder, string name) => ServerAccount.Current.CreateFolder(folder.Combine(name));
}
