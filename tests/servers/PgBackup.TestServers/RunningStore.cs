using System.Runtime.InteropServices;
using System.Text.Json;
using PgBackup.TestServers.Proxy;

namespace PgBackup.TestServers;

/// <summary>A server for other programs: scripts and benchmarks.</summary>
internal static class RunningStore
{
    private static readonly JsonSerializerOptions s_json = new() { PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    public static async Task RunAsync(RunOptions options)
    {
        TaskCompletionSource end = new(TaskCreationOptions.RunContinuationsAsynchronously);
        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            end.TrySetResult();
        }
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        await using StoreServer server = await StoreServers.StartAsync(options.Kind, options.MemoryGigabytes);
        string? bucket = options.Bucket is null ? null : await server.CreateBucketAsync(name: options.Bucket);
        await using FaultProxy? proxy = options.Delay is null ? null : FaultProxy.Start(server.Endpoint);
        proxy?.Add(_ => true, new Fault.Delay(options.Delay!.Value));
        Console.WriteLine(JsonSerializer.Serialize(new { server.Name, server.Endpoint, server.TlsEndpoint, server.CaFile, DelayedEndpoint = proxy?.Endpoint, server.AccessKey, server.SecretKey, Bucket = bucket }, s_json));
        _ = Task.Run(() =>
        {
            while (Console.ReadLine() is not null)
            {
            }
            end.TrySetResult();
        });
        await end.Task;
    }
}
