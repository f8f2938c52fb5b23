using PgBackup.Errors;
using PgBackup.Postgres.Replication;
using PgBackup.Postgres.Server;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Postgres.Replication;

/// <summary>Logging in to real servers for replication, by each method, with and without TLS.</summary>
public sealed class LoginTests
{
    private const string Password = "pä55 wörd'";
    private const string Host = "127.0.0.1/32";

    [Theory]
    [InlineData("trust", "scram-sha-256")]
    [InlineData("password", "scram-sha-256")]
    [InlineData("md5", "md5")]
    [InlineData("md5", "scram-sha-256")] // md5 in pg_hba.conf lets such roles use SCRAM.
    [InlineData("scram-sha-256", "scram-sha-256")]
    public async Task EachMethod(string method, string encryption)
    {
        await using LoginLab lab = await LoginLab.StartAsync();
        await lab.AllowAsync($"host replication all {Host} {method}", encryption);
        var system = (ulong)await lab.Cluster.ScalarAsync<long>("SELECT system_identifier FROM pg_control_system()");
        foreach (string mode in new[] { "Disable", "Allow", "Prefer", "Require" })
        {
            SystemIdentity identity = await lab.ConnectAsync(lab.Settings with { Password = Password, SslMode = mode });
            Assert.Equal((system, 1u), (identity.SystemIdentifier, identity.Timeline.Value));
            Assert.False(identity.FlushLsn.IsZero);
        }
        if (method == "trust")
            return;
        await RefusedAsync(lab.Settings with { Password = "wrong" }, "AuthenticationFailed", "password authentication failed");
        await RefusedAsync(lab.Settings with { PasswordFile = "/nonexistent" }, "AuthenticationFailed", "none was found");
    }

    /// <summary>The server prepares them by its own rules when the role is made.</summary>
    [Fact]
    public async Task PasswordsThatArePreparedAndPasswordsThatAreNot()
    {
        await using LoginLab lab = await LoginLab.StartAsync();
        foreach (string password in new[] { "a\u200Bb", "a\u00ADb", "x\u00A0\u3000x", "a\u00AD\a", "a\u00AD\uE000", "a\u00AD\u0221", "a\u00AD\U0001F600", "\u05D0\u00ADa", "\u05D0\u00AD1\u05D1", "\u00AD" })
        {
            await lab.AllowAsync($"host replication all {Host} scram-sha-256", password: password);
            await lab.ConnectAsync(lab.Settings with { Password = password });
        }
    }

    [Fact]
    public async Task ThePasswordFromAFileThatOthersCannotRead()
    {
        await using LoginLab lab = await LoginLab.StartAsync();
        await lab.AllowAsync($"host replication all {Host} scram-sha-256");
        using TempFolder folder = new();
        string path = folder.Combine("pass");
        await System.IO.File.WriteAllTextAsync(path, $"127.0.0.1:{lab.Cluster.Port}:replication:*:{Password}\n");
        System.IO.File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        await RefusedAsync(lab.Settings with { PasswordFile = path }, "AuthenticationFailed", "chmod 600");
        System.IO.File.SetUnixFileMode(path, UnixFileMode.UserRead);
        await lab.ConnectAsync(lab.Settings with { PasswordFile = path });
    }

    [Fact]
    public async Task TlsProvesTheServer()
    {
        await using LoginLab lab = await LoginLab.StartAsync();
        await lab.AllowAsync($"hostssl replication all all scram-sha-256");
        ServerConnectionSettings settings = lab.Settings with { Password = Password };
        string root = $"Root Certificate={lab.File("ca.pem")}";
        foreach (string mode in new[] { "VerifyCA", "VerifyFull" })
        {
            await lab.ConnectAsync(settings with { SslMode = mode, ConnectionString = root });
            await lab.ConnectAsync(settings with { SslMode = mode, ConnectionString = root, HostName = "localhost" });
            // No system trusts this authority.
            await RefusedAsync(settings with { SslMode = mode }, "ServerConnectionFailed", "certificate");
        }
        // 127.0.0.2 leads to the same server under a name that is not in its certificate.
        await lab.Cluster.ExecuteAsync("ALTER SYSTEM SET listen_addresses = '*'");
        await lab.Cluster.RestartAsync();
        await lab.ConnectAsync(settings with { SslMode = "VerifyCA", ConnectionString = root, HostName = "127.0.0.2" });
        await RefusedAsync(settings with { SslMode = "VerifyFull", ConnectionString = root, HostName = "127.0.0.2" }, "ServerConnectionFailed", "certificate");
        // Bound to the certificate, or not bound, or bound by force.
        foreach (string binding in new[] { "Disable", "Prefer", "Require" })
            await lab.ConnectAsync(settings with { SslMode = "Require", ConnectionString = $"Channel Binding={binding}" });
        await RefusedAsync(settings with { SslMode = "Disable" }, "AuthenticationFailed", "no encryption");
        await lab.ConnectAsync(settings with { SslMode = "Allow" });
    }

    [Fact]
    public async Task ACertificateLogsIn()
    {
        await using LoginLab lab = await LoginLab.StartAsync();
        await lab.AllowAsync($"hostssl replication all all cert");
        string own = $"SSL Certificate={lab.File("client.pem")};SSL Key={lab.File("client.key")}";
        await lab.ConnectAsync(lab.Settings with { SslMode = "Require", ConnectionString = own });
        await RefusedAsync(lab.Settings with { SslMode = "Require" }, "AuthenticationFailed", "certificate");
        await RefusedAsync(lab.Settings with { SslMode = "Require", ConnectionString = own + "x" }, "ServerConnectionFailed", "client.keyx");
    }

    [Fact]
    public async Task DirectTlsAndTheNewestServer()
    {
        await using LoginLab lab = await LoginLab.StartAsync(18);
        await lab.AllowAsync($"hostssl replication all all scram-sha-256");
        ServerConnectionSettings settings = lab.Settings with { Password = Password, SslMode = "Require" };
        await lab.ConnectAsync(settings with { ConnectionString = "SSL Negotiation=direct" });
        await lab.ConnectAsync(settings with { ConnectionString = "Require Auth=ScramSHA256;Channel Binding=Require" });
        await RefusedAsync(settings with { ConnectionString = "Require Auth=MD5" }, "AuthenticationFailed", "scram-sha-256");
    }

    [Fact]
    public async Task TheSocketKnowsThePeer()
    {
        await using LoginLab lab = await LoginLab.StartAsync();
        await lab.AllowAsync("local replication all scram-sha-256");
        ServerConnectionSettings settings = lab.Settings with { HostName = lab.Cluster.SocketDirectory, Password = Password, SslMode = "VerifyFull" };
        await lab.ConnectAsync(settings);
        await lab.AllowAsync("local all postgres trust");
        PgBackupException error = await RefusedAsync(settings, "AuthenticationFailed", "[local]");
        Assert.Contains($"local replication \"{LoginLab.Role}\" peer", error.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RefusalsSayWhatToDo()
    {
        await using LoginLab lab = await LoginLab.StartAsync();
        await lab.AllowAsync("host all all all trust");
        PgBackupException error = await RefusedAsync(lab.Settings, "AuthenticationFailed", "pg_hba.conf");
        Assert.Contains($"host replication \"{LoginLab.Role}\" 127.0.0.1/32 scram-sha-256", error.Hint, StringComparison.Ordinal);

        await lab.AllowAsync("host replication all all trust");
        await lab.Cluster.ExecuteAsync($"ALTER ROLE \"{LoginLab.Role}\" NOREPLICATION");
        error = await RefusedAsync(lab.Settings, "InsufficientPrivilege", LoginLab.Role);
        Assert.Contains("REPLICATION", error.Hint, StringComparison.Ordinal);

        await lab.Cluster.ExecuteAsync($"ALTER ROLE \"{LoginLab.Role}\" REPLICATION");
        await RefusedAsync(lab.Settings with { UserName = "nobody" }, "AuthenticationFailed", "nobody");
        await lab.Cluster.ExecuteAsync("ALTER SYSTEM SET max_wal_senders = 1");
        await lab.Cluster.RestartAsync();
        await using (await ReplicationConnection.OpenAsync(lab.Settings))
        {
            error = await RefusedAsync(lab.Settings, "ServerConnectionFailed", "max_wal_senders");
            Assert.Contains("max_wal_senders", error.Hint, StringComparison.Ordinal);
        }
        await RefusedAsync(lab.Settings with { HostName = "one,two" }, "ConnectionSettingsInvalid", "one host");
        await lab.Cluster.StopAsync();
        await RefusedAsync(lab.Settings, "ServerConnectionFailed", $"127.0.0.1:{lab.Cluster.Port}");
        await RefusedAsync(lab.Settings with { HostName = "no.such.host.invalid" }, "ServerConnectionFailed", "no.such.host.invalid");
        await RefusedAsync(lab.Settings with { HostName = lab.Cluster.SocketDirectory }, "ServerConnectionFailed", lab.Cluster.SocketDirectory);
    }

    private static async Task<PgBackupException> RefusedAsync(ServerConnectionSettings settings, string id, string says)
    {
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => ReplicationConnection.OpenAsync(settings));
        Assert.True(error.Id == id, $"{error.Id}: {error.Message}");
        Assert.Contains(says, error.Message, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(Password, error.ToString(), StringComparison.Ordinal);
        return error;
    }
}
