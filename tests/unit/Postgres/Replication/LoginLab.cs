using PgBackup.Postgres.Replication;
using PgBackup.Postgres.Server;
using PgBackup.TestServers;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Postgres.Replication;

/// <summary>A server with TLS, a role, and the line of pg_hba.conf that a test wants.</summary>
internal sealed class LoginLab : IAsyncDisposable
{
    public const string Role = "Backup Role";

    private LoginLab(PostgresCluster cluster) => Cluster = cluster;

    public PostgresCluster Cluster { get; }

    public ServerConnectionSettings Settings => new() { HostName = "127.0.0.1", Port = Cluster.Port, UserName = Role, SslMode = "Disable" };

    public string File(string name) => Path.Combine(Cluster.DataDirectory, name);

    public static async Task<LoginLab> StartAsync(int major = 15)
    {
        PostgresCluster cluster = await PostgresCluster.CreateAsync(new PostgresClusterOptions
        {
            Tools = PostgresTools.OfMajor(major),
            Settings = new Dictionary<string, string>
            {
                ["ssl"] = "on",
                ["ssl_cert_file"] = "server.pem",
                ["ssl_key_file"] = "server.key",
                ["ssl_ca_file"] = "ca.pem",
            },
        });
        var lab = new LoginLab(cluster);
        try
        {
            TestCertificates.Write(cluster.DataDirectory, Role);
            foreach (string name in new[] { "server.pem", "server.key", "ca.pem" })
            {
                System.IO.File.SetUnixFileMode(lab.File(name), UnixFileMode.UserRead | UnixFileMode.UserWrite);
                ServerAccount.Current.Own(lab.File(name));
            }
            await cluster.StartAsync();
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
        return lab;
    }

    /// <summary>Lets the role log in by this line alone; <c>postgres</c> stays trusted, for ordinary connections only.</summary>
    public async Task AllowAsync(string line, string encryption = "scram-sha-256", string password = "pä55 wörd'")
    {
        await Cluster.ExecuteAsync($"""
            SET password_encryption = '{encryption}';
            DROP ROLE IF EXISTS "{Role}";
            CREATE ROLE "{Role}" LOGIN REPLICATION PASSWORD '{password.Replace("'", "''", StringComparison.Ordinal)}'
            """);
        await System.IO.File.WriteAllTextAsync(File("pg_hba.conf"), $"{line}\nhost postgres postgres all trust\n");
        // A new session begins with what the postmaster has read, which it does a moment after it was told.
        DateTime before = await Cluster.ScalarAsync<DateTime>("SELECT pg_conf_load_time()");
        await Cluster.ExecuteAsync("SELECT pg_reload_conf()");
        while (await Cluster.ScalarAsync<DateTime>("SELECT pg_conf_load_time()") == before)
            await Task.Delay(10);
    }

    /// <summary>Connects and asks who the server is.</summary>
    public async Task<SystemIdentity> ConnectAsync(ServerConnectionSettings settings)
    {
        await using ReplicationConnection connection = await ReplicationConnection.OpenAsync(settings);
        return await connection.IdentifySystemAsync();
    }

    public ValueTask DisposeAsync() => Cluster.DisposeAsync();
}
