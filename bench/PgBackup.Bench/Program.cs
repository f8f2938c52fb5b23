using System.Runtime.InteropServices;
using PgBackup.Bench;
using PgBackup.Bench.Wal;

if (BenchOptions.Parse(args) is not { } options)
{
    Console.Error.WriteLine(BenchOptions.Usage);
    return 2;
}
using CancellationTokenSource stop = new();
PosixSignal[] signals = [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP];
IDisposable[] registrations = [.. signals.Select(signal => PosixSignalRegistration.Create(signal, context =>
{
    context.Cancel = true;
    stop.Cancel();
}))];
try
{
    Func<BenchOptions, CancellationToken, Task> run = options switch
    {
        { IsStore: true } => StoreRun.RunAsync,
        { IsDelta: true } => DeltaRun.RunAsync,
        { IsWal: true } => WalRun.RunAsync,
        { IsLoss: true } => LossRun.RunAsync,
        { IsDump: true } => DumpRun.RunAsync,
        _ => DirectoryRun.RunAsync,
    };
    await run(options, stop.Token);
    return 0;
}
catch (OperationCanceledException)
{
    Console.Error.WriteLine("Stopped; the cluster and its folder are gone.");
    return 130;
}
catch (InvalidOperationException error)
{
    Console.Error.WriteLine(error.Message);
    return 1;
}
finally
{
    foreach (IDisposable registration in registrations)
        registration.Dispose();
}
