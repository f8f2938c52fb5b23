using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace PgBackup.Tests.Kit;

/// <summary>How a server is stopped.</summary>
public enum StopMode
{
    /// <summary>Clean: sessions are ended, a checkpoint is written.</summary>
    Fast,

    /// <summary>Without a checkpoint; the next start recovers.</summary>
    Immediate,
}

/// <summary>A real PostgreSQL cluster in a temporary folder, run by the unprivileged account, gone on dispose.</summary>
public sealed partial class PostgresCluster : IAsyncDisposable
{
    private readonly TempFolder _folder = new();
    private readonly PostgresClusterOptions _options;
    private readonly ServerAccount _account = ServerAccount.Current;
    private Process? _server;

    private PostgresCluster(PostgresClusterOptions options) => _options = options;

    /// <summary>The folder with everything of the cluster; it belongs to the server's account.</summary>
    public string Folder => _folder.Path;

    /// <summary>The data directory.</summary>
    public string DataDirectory => _folder.Combine("data");

    /// <summary>Where <c>postgresql.conf</c> is: the data directory, or a folder outside of it.</summary>
    public string ConfigurationDirectory => _options.SeparateConfiguration ? _folder.Combine("etc") : DataDirectory;

    /// <summary>The folder of the Unix socket.</summary>
    public string SocketDirectory => _folder.Combine("run");

    /// <summary>The file that the server logs to.</summary>
    public string LogFile => _folder.Combine("server.log");

    /// <summary>The port on 127.0.0.1 and of the socket.</summary>
    public int Port { get; private set; }

    /// <summary>The installation that runs it.</summary>
    public PostgresTools Tools => _options.Tools;

    /// <summary>A connection as superuser <c>postgres</c> to the database <c>postgres</c>, without pooling.</summary>
    public string ConnectionString => ConnectionStringFor("postgres");

    /// <summary>Whether the server's process is there.</summary>
    public bool IsRunning => _server is { HasExited: false };

    /// <summary>Makes a cluster and starts it.</summary>
    public static async Task<PostgresCluster> RunAsync(PostgresClusterOptions? options = null)
    {
        PostgresCluster cluster = await CreateAsync(options);
        try
        {
            await cluster.StartAsync();
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
        return cluster;
    }

    /// <summary>Makes a cluster that is not started.</summary>
    public static async Task<PostgresCluster> CreateAsync(PostgresClusterOptions? options = null)
    {
        PostgresCluster cluster = new(options ?? new PostgresClusterOptions());
        try
        {
            cluster._account.Own(cluster.Folder);
            cluster._account.CreateFolder(cluster.SocketDirectory, TempFolder.Traversable);
            await ClusterTemplates.CreateAsync(cluster._options, cluster.DataDirectory);
            cluster.WriteConfiguration();
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
        return cluster;
    }

    /// <summary>A connection string to another database.</summary>
    public string ConnectionStringFor(string database) => new NpgsqlConnectionStringBuilder
    {
        Host = "127.0.0.1",
        Port = Port,
        Username = "postgres",
        Database = database,
        Pooling = false,
        IncludeErrorDetail = true,
    }.ConnectionString;

    /// <summary>Starts the server and waits until it takes connections; throws with its log when it does not.</summary>
    public async Task StartAsync()
    {
        for (int attempt = 1; ; attempt++)
        {
            if (Port == 0)
                Port = FreePort();
            long logged = File.Exists(LogFile) ? new FileInfo(LogFile).Length : 0;
            if (await LaunchAsync())
                return;
            string log = (await File.ReadAllTextAsync(LogFile))[(int)logged..];
            if (attempt == 5 || !log.Contains("Address already in use", StringComparison.Ordinal))
                throw new InvalidOperationException($"The server in '{DataDirectory}' did not start.\n{log}");
            Port = 0;
        }
    }

    /// <summary>Stops the server and waits until it is gone.</summary>
    public async Task StopAsync(StopMode mode = StopMode.Fast)
    {
        string name = mode == StopMode.Fast ? "fast" : "immediate";
        (await _account.RunAsync(Tools.Tool("pg_ctl"), ["stop", "-w", "-t", "120", "-D", DataDirectory, "-m", name])).EnsureSuccess();
        await EndedAsync();
    }

    /// <summary>Stops and starts it, on the same port.</summary>
    public async Task RestartAsync(StopMode mode = StopMode.Fast)
    {
        await StopAsync(mode);
        await StartAsync();
    }

    /// <summary>Kills the server and its children with SIGKILL, as a crash of the machine would, and waits until they are gone.</summary>
    public async Task Kill9Async()
    {
        if (_server is null)
            return;
        int pid = _server.Id;
        string children = _server.HasExited ? "" : await File.ReadAllTextAsync($"/proc/{pid}/task/{pid}/children");
        int[] workers = [.. children.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)];
        _server.Kill();
        foreach (int worker in workers)
        {
            try
            {
                using Process process = Process.GetProcessById(worker);
                process.Kill();
            }
            catch (ArgumentException)
            {
                // It ended by itself in between.
            }
        }
        await EndedAsync();
        Stopwatch waited = Stopwatch.StartNew();
        while (workers.Any(IsAlive))
        {
            if (waited.Elapsed > TimeSpan.FromSeconds(30))
                throw new InvalidOperationException($"A process of the server in '{DataDirectory}' is still there half a minute after SIGKILL.");
            await Task.Delay(20);
        }
    }

    /// <summary>Runs statements and returns the number of rows that they changed.</summary>
    public async Task<int> ExecuteAsync(string sql, string database = "postgres")
    {
        await using NpgsqlConnection connection = new(ConnectionStringFor(database));
        await connection.OpenAsync();
        await using NpgsqlCommand command = new(sql, connection) { CommandTimeout = 300 };
        return await command.ExecuteNonQueryAsync();
    }

    /// <summary>The first value that a query returns.</summary>
    public async Task<T> ScalarAsync<T>(string sql, string database = "postgres")
    {
        await using NpgsqlConnection connection = new(ConnectionStringFor(database));
        await connection.OpenAsync();
        await using NpgsqlCommand command = new(sql, connection) { CommandTimeout = 300 };
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
        return await reader.ReadAsync()
            ? await reader.GetFieldValueAsync<T>(0)
            : throw new InvalidOperationException($"No row came back from: {sql}");
    }

    /// <summary>Runs a client (<c>pgbench</c>, <c>psql</c>, …), of the complete installation where the server's has none, against this server; throws when it fails. Returns what it printed.</summary>
    public async Task<string> RunToolAsync(string tool, params string[] arguments)
    {
        ProcessStartInfo start = _account.StartInfo(Tools.TryTool(tool) ?? PostgresTools.Complete.Tool(tool), arguments);
        start.Environment["PGHOST"] = SocketDirectory;
        start.Environment["PGPORT"] = Port.ToString(CultureInfo.InvariantCulture);
        start.Environment["PGUSER"] = "postgres";
        start.Environment["PGDATABASE"] = "postgres";
        return (await ToolProcess.RunAsync(start)).EnsureSuccess().Output;
    }

    /// <summary>Creates a folder of the cluster outside its data directory and a tablespace there; returns the folder.</summary>
    public async Task<string> CreateTablespaceAsync(string name)
    {
        string location = _account.CreateFolder(_folder.Combine($"space-{name}"));
        await ExecuteAsync($"CREATE TABLESPACE \"{name}\" LOCATION '{location}'");
        return location;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Kill9Async();
        _folder.Dispose();
    }

    private static bool IsAlive(int pid)
    {
        try
        {
            // A process that nobody has waited for yet stays in the table as a zombie.
            string stat = File.ReadAllText($"/proc/{pid}/stat");
            return stat[stat.LastIndexOf(')') + 2] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    // Not by pg_ctl: as our own child the server is waited for when it ends, whatever the machine's process 1 does with orphans.
    private async Task<bool> LaunchAsync()
    {
        List<string> arguments =
            ["-c", "exec \"$0\" \"$@\" </dev/null >>\"$PGLOG\" 2>&1", Tools.Tool("postgres"), "-D", DataDirectory, "-p", $"{Port}"];
        if (_options.SeparateConfiguration)
            arguments.AddRange(["-c", $"config_file={Path.Combine(ConfigurationDirectory, "postgresql.conf")}"]);
        ProcessStartInfo start = _account.StartInfo("/bin/sh", arguments);
        start.Environment["PGLOG"] = LogFile;
        _server = Process.Start(start) ?? throw new InvalidOperationException($"'{start.FileName}' did not start.");
        Stopwatch waited = Stopwatch.StartNew();
        while (!_server.HasExited)
        {
            // The eighth line tells the state of the server with this process id in the first.
            string[] lines = ReadPidFile();
            if (lines.Length >= 8 && lines[0] == $"{_server.Id}" && lines[7].Trim() is "ready" or "standby")
                return true;
            if (waited.Elapsed > TimeSpan.FromMinutes(2))
                throw new InvalidOperationException($"The server in '{DataDirectory}' is not ready after two minutes.\n{await File.ReadAllTextAsync(LogFile)}");
            await Task.Delay(20);
        }
        await EndedAsync();
        return false;
    }

    private async Task EndedAsync()
    {
        if (_server is null)
            return;
        await _server.WaitForExitAsync();
        _server.Dispose();
        _server = null;
    }

    private string[] ReadPidFile()
    {
        try
        {
            return File.ReadAllLines(Path.Combine(DataDirectory, "postmaster.pid"));
        }
        catch (IOException)
        {
            return [];
        }
    }

    private void WriteConfiguration()
    {
        Dictionary<string, string> settings = new()
        {
            ["listen_addresses"] = "127.0.0.1",
            ["unix_socket_directories"] = SocketDirectory,
            ["fsync"] = _options.Fsync ? "on" : "off",
            ["shared_buffers"] = "32MB",
        };
        string main = Path.Combine(ConfigurationDirectory, "postgresql.conf");
        string extra = main;
        if (_options.SeparateConfiguration)
        {
            string included = Path.Combine(ConfigurationDirectory, "conf.d");
            Directory.CreateDirectory(included);
            foreach (string name in new[] { "postgresql.conf", "pg_hba.conf", "pg_ident.conf" })
                File.Move(Path.Combine(DataDirectory, name), Path.Combine(ConfigurationDirectory, name));
            settings["data_directory"] = DataDirectory;
            settings["hba_file"] = Path.Combine(ConfigurationDirectory, "pg_hba.conf");
            settings["ident_file"] = Path.Combine(ConfigurationDirectory, "pg_ident.conf");
            settings["external_pid_file"] = _folder.Combine("main.pid");
            extra = Path.Combine(included, "extra.conf");
        }
        Append(main, settings);
        if (_options.SeparateConfiguration)
            File.AppendAllText(main, "include_dir = 'conf.d'\n");
        Append(extra, _options.Settings);
        _account.Own(ConfigurationDirectory);
    }

    private static void Append(string file, IEnumerable<KeyValuePair<string, string>> settings) =>
        File.AppendAllLines(file, settings.Select(s => $"{s.Key} = '{s.Value.Replace("'", "''", StringComparison.Ordinal)}'"));
}
