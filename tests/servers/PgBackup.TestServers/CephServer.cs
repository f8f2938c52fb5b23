using System.Diagnostics;

namespace PgBackup.TestServers;

/// <summary>How a Ceph shall be.</summary>
public sealed record CephOptions
{
    /// <summary>Whether it answers HTTPS as well.</summary>
    public bool Tls { get; init; } = true;

    /// <summary>What it holds at most, in memory.</summary>
    public int MemoryGigabytes { get; init; } = 8;
}

/// <summary>Ceph's RADOS Gateway with a monitor and one OSD that keeps all in memory. Starts within a few seconds.</summary>
public sealed class CephServer : StoreServer
{
    private readonly CephInstallation _ceph;

    private CephServer(CephInstallation ceph)
        : base(ceph.Name) => _ceph = ceph;

    /// <summary>The access key of an account that has no rights but those that a bucket's policy gives it.</summary>
    public static string GuestAccessKey => "guest";

    /// <summary>Its secret.</summary>
    public static string GuestSecretKey => "guestsecret";

    /// <summary>The account as a bucket's policy names it.</summary>
    public static string GuestPrincipal => "arn:aws:iam:::user/guest";

    /// <summary>The id of the one key that SSE-KMS knows.</summary>
    public static string KmsKey => "testkey";

    /// <summary>Starts one.</summary>
    public static Task<CephServer> StartAsync(CephInstallation ceph, CephOptions? options = null) =>
        StartedAsync(new CephServer(ceph), server => server.StartAsync(options ?? new CephOptions()));

    private async Task StartAsync(CephOptions options)
    {
        int port = ServerProcess.FreePort();
        Endpoint = new Uri($"http://127.0.0.1:{port}");
        int? tlsPort = null;
        if (options.Tls)
        {
            tlsPort = ServerProcess.FreePort();
            TestCertificates.Write(Folder.Path);
            TlsEndpoint = new Uri($"https://127.0.0.1:{tlsPort}");
            CaFile = Folder.Combine("ca.pem");
        }
        foreach (string name in (string[])["mon", "osd", "run", "log"])
            Folder.CreateFolder(name);
        var id = Guid.NewGuid();
        string monitor = $"v2:127.0.0.1:{ServerProcess.FreePort()}";
        await File.WriteAllTextAsync(Folder.Combine("ceph.conf"), CephConfiguration.Text(_ceph, Folder.Path, id, monitor, port, tlsPort, options.MemoryGigabytes));
        await File.WriteAllTextAsync(Folder.Combine("mime.types"), "application/octet-stream bin\n");

        string map = Folder.Combine("monmap");
        await RunAsync("monmaptool", "--create", "--clobber", "--addv", "a", $"[{monitor}]", "--fsid", $"{id}", map);
        await RunAsync("ceph-mon", "-i", "a", "--mkfs", "--monmap", map);
        Process mon = Start("ceph-mon", "-i", "a", "-f");
        string osdId = $"{Guid.NewGuid()}";
        await RunAsync("ceph", "osd", "new", osdId, "0");
        await RunAsync("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osdId);
        Process osd = Start("ceph-osd", "-i", "0", "-f");
        await AdministerAsync("user", "create", "--uid=test", "--display-name=test", $"--access-key={AccessKey}", $"--secret-key={SecretKey}");
        await AdministerAsync("user", "create", "--uid=guest", "--display-name=guest", $"--access-key={GuestAccessKey}", $"--secret-key={GuestSecretKey}");
        await AdministerAsync("zonegroup", "placement", "add", "--rgw-zonegroup", "default", "--placement-id", "default-placement", "--storage-class", "STANDARD_IA");
        await AdministerAsync(
            "zone", "placement", "add", "--rgw-zone", "default", "--placement-id", "default-placement", "--storage-class", "STANDARD_IA",
            "--data-pool", "default.rgw.buckets.data");
        Process gateway = Start("radosgw", "-n", "client.rgw.a", "-f");
        await ServerProcess.WaitUntilAnsweredAsync(Endpoint, Folder, mon, osd, gateway);
    }

    private Task AdministerAsync(params string[] arguments) => RunAsync("radosgw-admin", ["-n", "client.rgw.a", "--admin-socket=", .. arguments]);

    private Task RunAsync(string program, params string[] arguments) => ServerProcess.RunAsync(_ceph.Command(program, Configured(program, arguments)));

    private Process Start(string program, params string[] arguments) =>
        ServerProcess.Start(Folder.Combine("log", $"{program}.out.log"), _ceph.Command(program, Configured(program, arguments)));

    // Of all its programs, only the map's does not read the configuration.
    private string[] Configured(string program, string[] arguments) => program == "monmaptool" ? arguments : ["--conf", Folder.Combine("ceph.conf"), .. arguments];
}
