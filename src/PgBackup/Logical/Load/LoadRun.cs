using PgBackup.Errors;
using PgBackup.Postgres.Tools;

namespace PgBackup.Logical.Load;

/// <summary>One run of the program that restores.</summary>
internal abstract class LoadRun(DumpSource source, LoadOptions options, ClientTool tool) : IDisposable
{
    /// <summary>The program.</summary>
    public ClientTool Tool => tool;

    /// <summary>What the database is to be created with; null for the server's defaults.</summary>
    public virtual DatabaseTraits? Traits => null;

    /// <summary>How many tables are restored; null where that is not known.</summary>
    public virtual int? TableCount => null;

    protected DumpSource Source => source;

    protected LoadOptions Options => options;

    /// <summary>Runs it to its end. What it did not restore is in <paramref name="failures"/>; throws when it failed as a whole.</summary>
    public abstract Task RunAsync(ToolConnection connection, FailureCollector failures, IOperationLog log, IProgress<OperationProgress> progress, CancellationToken cancellationToken);

    public abstract void Dispose();

    /// <summary>What is in the target when a run was ended.</summary>
    protected string Kept => options.SingleTransaction ? "Nothing was kept: it was one transaction." : "What was restored before stays.";

    protected PgBackupException Failed(ToolConnection connection, string reason) => PgErrors.DatabaseRestoreFailed(source.Name, connection.Database, reason, Kept);

    /// <summary>Feeds the dump, or a file that is there, to the program. Damage is <c>RestoreInputBroken</c>, and the program is killed.</summary>
    protected async Task<ToolOutcome> FeedAsync(
        ToolConnection connection, IEnumerable<string> arguments, Action<string> onLine, Stream? dump, Action<ReadOnlyMemory<byte>> onPiece, CancellationToken cancellationToken)
    {
        ToolProcess process = ToolProcess.Start(tool, connection, arguments, onLine);
        await using (process.ConfigureAwait(false))
        {
            try
            {
                return await ToolFeed.RunAsync(process, dump, onPiece, cancellationToken).ConfigureAwait(false);
            }
            catch (PgBackupException error)
            {
                throw PgErrors.RestoreInputBroken(source.Name, connection.Database, Kept, error);
            }
        }
    }
}
