namespace PgBackup.Wal.Command;
internal static class CheckCommand { public static Task<int> RunAsync(Invocation i, CancellationToken c) => Task.FromResult(0); }
