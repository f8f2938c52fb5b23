using System.IO.Hashing;
using PgBackup.Codecs;
using PgBackup.Postgres.Tools;

namespace PgBackup.Logical.Dump;

/// <summary>What came out of a dump program.</summary>
/// <param name="Bytes">How many bytes.</param>
/// <param name="Hash">Their XXH128, in lower-case hexadecimal digits.</param>
internal sealed record DumpedBytes(long Bytes, string Hash);

/// <summary>Runs pg_dump or pg_dumpall for a dump. A failure of it is an error before anything of what it wrote is published.</summary>
internal sealed class DumpProgram
{
    private readonly DumpOptions _options;
    private readonly DumpSession _session;
    private readonly ClientTool _tool;
    private readonly DumpWatch _watch;

    private DumpProgram(DumpOptions options, DumpSession session, ClientTool tool, DumpWatch watch)
    {
        _options = options;
        _session = session;
        _tool = tool;
        _watch = watch;
    }

    /// <summary>The program.</summary>
    public ClientTool Tool => _tool;

    /// <summary>Finds the program of the server's version or newer. Throws <c>ClientToolMissing</c>.</summary>
    public static async Task<DumpProgram> FindAsync(DumpOptions options, DumpSession session, DumpWatch watch, IOperationLog log, CancellationToken cancellationToken)
    {
        bool isGlobals = options.Content == DumpContent.Globals;
        ClientTool tool = await ClientTool.FindAsync(isGlobals ? ClientTool.PgDumpAll : ClientTool.PgDump, session.MajorVersion, cancellationToken).ConfigureAwait(false);
        log.Verbose($"{tool} ({tool.Path}) dumps {options.Subject} of {session.Server}");
        if (isGlobals && !session.ReadsPasswords)
            log.Warning($"The role that logged in to {session.Server} may not read pg_authid: the roles are dumped without their passwords.");
        return new DumpProgram(options, session, tool, watch);
    }

    /// <summary>The arguments that chose what was dumped and how; what only this run has is not among them.</summary>
    public IReadOnlyList<string> Arguments(params ReadOnlySpan<string> more)
    {
        List<string> arguments = _options.Content == DumpContent.Globals
            ? ["--globals-only"]
            : ["--format=" + _options.EffectiveFormat.ToString().ToLowerInvariant(), .. _options.Selection()];
        if (_options.Content == DumpContent.Globals && !_session.ReadsPasswords)
            arguments.Add("--no-role-passwords");
        arguments.AddRange(more);
        return arguments;
    }

    /// <summary>Dumps into an encoder, which is not completed. Throws <c>DumpFailed</c> and its like, and what the encoder throws.</summary>
    public async Task<DumpedBytes> StreamAsync(IReadOnlyList<string> arguments, ParallelEncoder encoder, CancellationToken cancellationToken)
    {
        // SHA-256 would cost a twentieth of the time of a dump, on the thread that keeps pg_dump waiting.
        var hash = new XxHash128();
        long total = 0;
        // On a thread of its own: a pipe that is read by turns of the thread pool keeps pg_dump waiting at every 64 KiB.
        await RunAsync(arguments, (output, token) => Task.Factory.StartNew(() => Read(output, token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default), cancellationToken)
            .ConfigureAwait(false);
        return new DumpedBytes(total, Convert.ToHexStringLower(hash.GetCurrentHash()));

        void Read(Stream output, CancellationToken token)
        {
            int read;
            while ((read = output.Read(encoder.Free.Span)) > 0)
            {
                hash.Append(encoder.Free.Span[..read]);
                total += read;
                encoder.AdvanceAsync(read, token).AsTask().GetAwaiter().GetResult();
                _watch.Count(read);
            }
        }
    }

    /// <summary>Dumps into a folder that does not exist yet.</summary>
    public Task IntoFolderAsync(IReadOnlyList<string> arguments, string folder, CancellationToken cancellationToken) => RunAsync(
        [.. arguments, $"--jobs={_options.Workers}", "--file=" + folder], static (output, token) => output.CopyToAsync(Stream.Null, token), cancellationToken);

    private async Task RunAsync(IReadOnlyList<string> arguments, Func<Stream, CancellationToken, Task> read, CancellationToken cancellationToken)
    {
        using var connection = ToolConnection.Create(_options.Server, _options.Content == DumpContent.Globals ? null : _options.Database);
        List<string> all = ["--no-password", .. arguments];
        if (_options.Content == DumpContent.Database)
        {
            all.Add("--snapshot=" + _session.SnapshotName);
            // In a script it would leave comments, with the time among them.
            if (_options.EffectiveFormat != DumpFormat.Plain)
                all.Add("--verbose");
        }
        ToolProcess process = ToolProcess.Start(_tool, connection, all, _watch.Line);
        await using (process.ConfigureAwait(false))
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            // It ends the program when stopped: a read of a pipe in which nothing comes cannot be stopped by itself.
            Task<ToolOutcome> ending = process.WaitAsync(stop.Token);
            try
            {
                await read(process.Output, CancellationToken.None).ConfigureAwait(false);
            }
            catch
            {
                await stop.CancelAsync().ConfigureAwait(false);
                await ((Task)ending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                throw;
            }
            ToolOutcome outcome = await ending.ConfigureAwait(false);
            if (outcome.ExitCode != 0)
                throw DumpFailure.From(_tool, outcome, _options, _session);
        }
    }
}
