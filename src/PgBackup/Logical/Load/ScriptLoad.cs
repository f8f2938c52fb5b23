using PgBackup.Postgres.Tools;
using PgBackup.Repository.Dumps;

namespace PgBackup.Logical.Load;

/// <summary>
/// A script by psql, byte for byte. One of a database stops at its first error (ON_ERROR_STOP); one of globals goes on, because a role that is there is no error.
/// </summary>
internal sealed class ScriptLoad : LoadRun
{
    private ScriptLoad(DumpSource source, LoadOptions options, ClientTool tool)
        : base(source, options, tool)
    {
    }

    public override DatabaseTraits? Traits => Source.Traits;

    public override int? TableCount => Source.TableCount;

    public static async Task<LoadRun> PrepareAsync(DumpSource source, LoadOptions options, int serverMajor, CancellationToken cancellationToken) =>
        new ScriptLoad(source, options, await ClientTool.FindAsync(ClientTool.Psql, serverMajor, cancellationToken).ConfigureAwait(false));

    public override async Task RunAsync(ToolConnection connection, FailureCollector failures, IOperationLog log, IProgress<OperationProgress> progress, CancellationToken cancellationToken)
    {
        bool globals = Source.Content == DumpContent.Globals;
        string[] arguments = ["-X", "-q", "-v", globals ? "ON_ERROR_STOP=0" : "ON_ERROR_STOP=1", .. Options.SingleTransaction ? ["--single-transaction"] : Array.Empty<string>(), "-f", "-"];
        var watch = new ScriptWatch(Source.Name);
        var messages = new ScriptMessages(failures, watch.ObjectAt, globals, log);
        string activity = $"Restoring {Source.Name}";
        long done = 0;
        Stream dump = await Source.OpenAsync(cancellationToken).ConfigureAwait(false);
        await using (dump.ConfigureAwait(false))
        {
            ToolOutcome outcome = await FeedAsync(connection, arguments, messages.Take, dump, piece =>
            {
                watch.Take(piece.Span);
                done += piece.Length;
                progress.Report(new OperationProgress(activity, "Running the script", done, Source.Size));
            }, cancellationToken).ConfigureAwait(false);
            messages.Complete();
            if (messages.Fatal is { } fatal)
                throw Failed(connection, fatal);
            if (outcome.ExitCode != 0 && (failures.Count == 0 || Options.SingleTransaction))
                throw Failed(connection, failures.Last ?? $"psql ended with {outcome.ExitCode}.");
        }
    }

    public override void Dispose()
    {
    }
}
