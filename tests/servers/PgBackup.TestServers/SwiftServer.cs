using System.Diagnostics;

namespace PgBackup.TestServers;

/// <summary>OpenStack Swift with its S3 middleware: one device, one account, no cache.</summary>
public sealed class SwiftServer : StoreServer
{
    private static readonly string[] s_rings = ["account", "container", "object"];
    private readonly DebianRoot _root = new(ServerCache.Swift);

    private SwiftServer()
        : base("swift")
    {
    }

    /// <inheritdoc/>
    public override string AccessKey => "test:test";

    /// <summary>Starts one.</summary>
    public static Task<SwiftServer> StartAsync() => StartedAsync(new SwiftServer(), server => server.StartSwiftAsync());

    private async Task StartSwiftAsync()
    {
        int port = ServerProcess.FreePort();
        Endpoint = new Uri($"http://127.0.0.1:{port}");
        Folder.CreateFolder("devices", "d1");
        await File.WriteAllTextAsync(Folder.Combine("swift.conf"), SwiftConfiguration.Hash);
        Process[] storage = await Task.WhenAll(s_rings.Select(StartStorageAsync));
        await File.WriteAllTextAsync(Folder.Combine("proxy.conf"), SwiftConfiguration.Proxy(Folder.Path, port, AccessKey.Replace(':', '_'), SecretKey));
        await ServerProcess.WaitUntilAnsweredAsync(new Uri(Endpoint, "healthcheck"), Folder, [.. storage, Start("proxy")]);
    }

    private async Task<Process> StartStorageAsync(string ring)
    {
        int port = ServerProcess.FreePort();
        string builder = Folder.Combine($"{ring}.builder");
        await RunAsync("swift-ring-builder", builder, "create", "4", "1", "0");
        await RunAsync("swift-ring-builder", builder, "add", $"r1z1-127.0.0.1:{port}/d1", "1");
        await RunAsync("swift-ring-builder", builder, "rebalance");
        await File.WriteAllTextAsync(Folder.Combine($"{ring}.conf"), SwiftConfiguration.Storage(Folder.Path, ring, port));
        return Start(ring);
    }

    private Task RunAsync(string program, params string[] arguments) => ServerProcess.RunAsync(_root.Command(program, [], arguments));

    private Process Start(string server) =>
        ServerProcess.Start(Folder.Combine($"{server}.log"), _root.Command(
            $"swift-{server}-server", [], [Folder.Combine($"{server}.conf"), "--verbose"],
            // It reads what all servers must agree on from /etc/swift before it looks for a folder in its own configuration.
            $"import swift.common.utils; swift.common.utils.SWIFT_CONF_FILE = '{Folder.Combine("swift.conf")}'"));
}
