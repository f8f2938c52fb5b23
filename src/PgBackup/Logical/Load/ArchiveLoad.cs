using System.Globalization;
using PgBackup.Errors;
using PgBackup.Postgres.Tools;

namespace PgBackup.Logical.Load;

/// <summary>An archive by pg_restore: from its standard input as it is read, or from where it lies when jobs need to read it in any order.</summary>
internal sealed class ArchiveLoad : LoadRun
{
    private const int DefaultJobs = 8;

    private readonly ScratchFolder? _scratch;
    private readonly ArchiveToc _toc;
    private readonly string? _path;
    private readonly IReadOnlyList<TocEntry>? _entries;
    private readonly int _jobs;

    private ArchiveLoad(DumpSource source, LoadOptions options, ClientTool tool, ArchiveToc toc, string? path, IReadOnlyList<TocEntry>? entries, ScratchFolder? scratch, int jobs)
        : base(source, options, tool)
    {
        _toc = toc;
        _path = path;
        _entries = entries;
        _scratch = scratch;
        _jobs = jobs;
    }

    public override DatabaseTraits? Traits => Source.Traits ?? _toc.Traits;

    public override int? TableCount => _entries is null ? _toc.TableCount : _entries.Count(e => e.Kind is "TABLE" or "FOREIGN TABLE" or "MATERIALIZED VIEW");

    /// <param name="source">The dump.</param>
    /// <param name="options">How to restore it.</param>
    /// <param name="serverMajor">The server's major version.</param>
    /// <param name="target">The target when it exists.</param>
    /// <param name="log">Told of decisions.</param>
    /// <param name="progress">Told of what is put beside.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task<LoadRun> PrepareAsync(
        DumpSource source, LoadOptions options, int serverMajor, TargetDatabase? target, IOperationLog log, IProgress<OperationProgress> progress, CancellationToken cancellationToken)
    {
        bool inAnyOrder = source.Format == DumpFormat.Directory || (source.Format == DumpFormat.Custom && source.LocalPath is not null);
        int jobs = options.SingleTransaction || source.Format == DumpFormat.Tar ? 1 : options.ThrottleLimit ?? (inAnyOrder ? Math.Min(Environment.ProcessorCount, DefaultJobs) : 1);
        bool places = source.LocalPath is null && (source.Format == DumpFormat.Directory || jobs > 1);
        // What can be told from the beginning is told before a byte is put beside.
        ArchiveToc? toc = source.Format == DumpFormat.Directory && places ? null : await source.ReadTocAsync(source.LocalPath, cancellationToken).ConfigureAwait(false);
        ScratchFolder? scratch = null;
        try
        {
            string? path = source.LocalPath;
            if (places)
            {
                scratch = ScratchFolder.Create(options.ScratchFolder);
                log.Verbose($"The dump is put into '{scratch.Path}' first.");
                long done = 0;
                path = await source.PlaceAsync(
                    scratch.Path, jobs, count => progress.Report(new OperationProgress($"Restoring {source.Name}", "Putting the dump beside", Interlocked.Add(ref done, count), source.Size)),
                    cancellationToken).ConfigureAwait(false);
            }
            toc ??= await source.ReadTocAsync(path, cancellationToken).ConfigureAwait(false);
            // Of the server's own version where that reads the archive: a newer one makes settings that the server does not know.
            ClientTool tool = await ClientTool.FindAsync(ClientTool.PgRestore, Math.Max(serverMajor, toc.OldestReader), cancellationToken).ConfigureAwait(false);
            IReadOnlyList<TocEntry>? entries = await ChooseAsync(source, options, toc, target, log, cancellationToken).ConfigureAwait(false);
            if (entries is not null)
                scratch ??= ScratchFolder.Create(options.ScratchFolder);
            return new ArchiveLoad(source, options, tool, toc, path, entries, scratch, jobs);
        }
        catch
        {
            scratch?.Dispose();
            throw;
        }
    }

    public override async Task RunAsync(ToolConnection connection, FailureCollector failures, IOperationLog log, IProgress<OperationProgress> progress, CancellationToken cancellationToken)
    {
        string activity = $"Restoring {Source.Name}";
        int items = 0, total = _entries?.Count ?? _toc.Entries.Count;
        var byId = new Dictionary<int, TocEntry>(_toc.Entries.Count);
        foreach (TocEntry entry in _toc.Entries)
            byId.TryAdd(entry.Id, entry);
        var messages = new RestoreMessages(byId, failures, log, () =>
        {
            if (_path is not null)
                progress.Report(new OperationProgress(activity, "Restoring objects", Math.Min(++items, total), total, ProgressUnit.Items));
        });
        Stream? dump = _path is null ? await Source.OpenAsync(cancellationToken).ConfigureAwait(false) : null;
        try
        {
            long done = 0;
            ToolOutcome outcome = await FeedAsync(connection, Arguments(connection.Database), messages.Take, dump, piece =>
            {
                done += piece.Length;
                progress.Report(new OperationProgress(activity, "Restoring objects", done, Source.Size));
            }, cancellationToken).ConfigureAwait(false);
            messages.Complete();
            // Its last line counts the errors that it went past; without it, it did not come to its end.
            if (outcome.ExitCode != 0 && (messages.Ignored is null || messages.Fatal is not null))
                throw Failed(connection, messages.Fatal ?? failures.Last ?? $"pg_restore ended with {outcome.ExitCode}.");
            for (int unseen = (messages.Ignored ?? 0) - messages.Harmless - failures.Count; unseen > 0; unseen--)
                failures.Add(null, "an error that pg_restore counts; its message was lost among those of other jobs. Restore with -ThrottleLimit 1 to read it.");
        }
        finally
        {
            if (dump is not null)
                await dump.DisposeAsync().ConfigureAwait(false);
        }
    }

    public override void Dispose() => _scratch?.Dispose();

    private static async Task<IReadOnlyList<TocEntry>?> ChooseAsync(
        DumpSource source, LoadOptions options, ArchiveToc toc, TargetDatabase? target, IOperationLog log, CancellationToken cancellationToken)
    {
        if (options.Tables.Count == 0 && options.Schemas.Count == 0)
            return null;
        var selection = TocSelection.Choose(toc, source.Name, options.Tables, options.Schemas);
        HashSet<int> inTarget = target is null ? [] : await target.FindAsync(selection.Needed, cancellationToken).ConfigureAwait(false);
        if (target is not null && !options.Clean && !options.DataOnly && !options.AllowNonEmpty)
        {
            HashSet<int> there = await target.FindAsync(selection.Relations, cancellationToken).ConfigureAwait(false);
            if (there.Count > 0)
            {
                throw PgErrors.TargetHoldsObjects(
                    target.Name, options.Server.Describe(),
                    string.Join(", ", selection.Relations.Where(e => there.Contains(e.Id)).Take(5).Select(e => $"{e.Schema}.{e.Name}")) + (there.Count > 5 ? $" and {there.Count - 5} more" : ""));
            }
        }
        if (!options.DataOnly)
        {
            foreach (TocEntry left in selection.Complete(inTarget))
                log.Warning($"The {left.Object} was left out: what it refers to is neither restored nor in the target.");
        }
        return selection.Entries;
    }

    private List<string> Arguments(string database)
    {
        List<string> arguments = ["--verbose", $"--dbname=dbname='{Escape(database)}'"];
        Add(Options.Clean, "--clean");
        Add(Options.IfExists, "--if-exists");
        Add(Options.SchemaOnly, "--schema-only");
        Add(Options.DataOnly, "--data-only");
        Add(Options.NoOwner, "--no-owner");
        Add(Options.NoPrivilege, "--no-privileges");
        Add(Options.NoTablespace, "--no-tablespaces");
        Add(Options.NoSubscription, "--no-subscriptions");
        Add(Options.SingleTransaction, "--single-transaction");
        Add(Options.SingleTransaction, "--exit-on-error");
        Add(_jobs > 1, $"--jobs={_jobs}");
        if (_entries is not null)
        {
            string list = Path.Combine(_scratch!.Path, "list");
            ScratchFolder.Guard(list, () =>
            {
                File.WriteAllLines(list, _entries.Select(e => string.Create(CultureInfo.InvariantCulture, $"{e.Id};")));
                return true;
            });
            arguments.Add($"--use-list={list}");
        }
        arguments.Add($"--format={(Source.Format switch { DumpFormat.Custom => "c", DumpFormat.Tar => "t", _ => "d" })}");
        if (_path is not null)
            arguments.Add(_path);
        return arguments;

        void Add(bool wanted, string argument)
        {
            if (wanted)
                arguments.Add(argument);
        }
    }

    // A connection string of libpq: quoted, so that it is a name whatever it looks like.
    private static string Escape(string database) => database.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal);
}
