using System.Diagnostics;

namespace PgBackup.TestServers;

/// <summary>s3rver, which takes the framing of a chunked body for the object's content, and says that all went well.</summary>
public sealed class S3rverServer : StoreServer
{
    private S3rverServer()
        : base("s3rver")
    {
    }

    /// <inheritdoc/>
    public override string AccessKey => "S3RVER";

    /// <inheritdoc/>
    public override string SecretKey => "S3RVER";

    /// <summary>Starts one.</summary>
    public static Task<S3rverServer> StartAsync() => StartedAsync(new S3rverServer(), server => server.StartProgramAsync());

    private async Task StartProgramAsync()
    {
        if (!File.Exists(ServerCache.S3rver))
            throw new InvalidOperationException($"There is no '{ServerCache.S3rver}'. './build.sh Test' puts it there.");
        int port = ServerProcess.FreePort();
        Endpoint = new Uri($"http://127.0.0.1:{port}");
        ServerCommand command = new("node", [ServerCache.S3rver, "-d", Folder.CreateFolder("data"), "-a", "127.0.0.1", "-p", $"{port}", "--no-vhost-buckets"], []);
        Process process = ServerProcess.Start(Folder.Combine("s3rver.log"), command);
        await ServerProcess.WaitUntilAnsweredAsync(Endpoint, Folder, process);
    }
}
