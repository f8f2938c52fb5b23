using System.Net;
using System.Net.Sockets;
using Npgsql;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Backup;

/// <summary>A server on a directory that was put together by hand, recovered from a plain archive to its end.</summary>
internal sealed class RecoveredServer : IAsyncDisposable
{
    private readonly string _dataDirectory;
    private readonly string _pgCtl;
    private readonly string _connectionString;

    private RecoveredServer(string dataDirectory, string pgCtl, string connectionString)
    {
        _dataDirectory = dataDirectory;
        _pgCtl = pgCtl;
        _connectionString = connectionString;
    }

    public static async Task<RecoveredServer> StartAsync(BackedUpCluster source, string dataDirectory, string settings = "")
    {
        int port = FreePort();
        await File.AppendAllTextAsync(Path.Combine(dataDirectory, "postgresql.auto.conf"),
            $"\nrestore_command = 'cp {source.RepositoryPath}/wal_005/%f %p'\narchive_mode = off\nport = {port}\nunix_socket_directories = ''\n"
            + "listen_addresses = '127.0.0.1'\nhot_standby = off\nfsync = off\n" + settings);
        await File.WriteAllTextAsync(Path.Combine(dataDirectory, "recovery.signal"), "");
        ServerAccount.Current.Own(dataDirectory);
        string pgCtl = source.Cluster.Tools.Tool("pg_ctl");
        string log = Path.Combine(dataDirectory, "recovered.log");
        ToolResult start = await ServerAccount.Current.RunAsync(pgCtl, ["-D", dataDirectory, "-l", log, "-w", "-t", "60", "start"]);
        Assert.True(start.ExitCode == 0, File.Exists(log) ? File.ReadAllText(log) : start.Error);
        while (!File.ReadAllText(log).Contains("database system is ready to accept connections", StringComparison.Ordinal))
        {
            Assert.True(File.Exists(Path.Combine(dataDirectory, "postmaster.pid")), File.ReadAllText(log));
            await Task.Delay(100);
        }
        return new RecoveredServer(dataDirectory, pgCtl, $"Host=127.0.0.1;Port={port};Username=postgres;Database=postgres;Pooling=false");
    }

    public string ConnectionStringFor(string database) => new NpgsqlConnectionStringBuilder(_connectionString) { Database = database }.ConnectionString;

    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var connection = new NpgsqlConnection(_connectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    public async ValueTask DisposeAsync() =>
        (await ServerAccount.Current.RunAsync(_pgCtl, ["-D", _dataDirectory, "-m", "immediate", "-w", "stop"])).EnsureSuccess();

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
