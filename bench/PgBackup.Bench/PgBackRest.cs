using PgBackup.Tests.Kit;

namespace PgBackup.Bench;

/// <summary>pgBackRest with zstd at its default level and two processes, run as the server's account with paths of its own.</summary>
internal sealed class PgBackRest(Stopwatches stopwatches, PostgresCluster cluster, string folder, RepositoryHome home) : Contestant
{
    /// <summary>The name that the goals compare with.</summary>
    public const string ToolName = "pgBackRest";

    private const string Stanza = "bench";

    private string _newest = "";

    private string Executable => Program.Length > 0 ? Program : Tools.Find("pgbackrest");

    public override string Name => Distinction is null ? ToolName : $"{ToolName}, {Distinction}";

    /// <summary>What tells it from another one in the same table.</summary>
    public string? Distinction { get; init; }

    /// <summary>The program; the one on PATH when it is not said.</summary>
    public string Program { get; init; } = "";

    /// <summary>Whether files are bundled and stored by blocks, so that an incremental backup holds changed blocks.</summary>
    public bool IsByBlock { get; init; }

    /// <summary>Whether WAL is pushed and fetched ahead, by processes of its own.</summary>
    public bool IsAsync { get; init; }

    /// <summary>The data directory; the cluster's own when it is not said.</summary>
    public string? DataDirectory { get; init; }

    /// <summary>The value for restore_command.</summary>
    public string RestoreCommand => $"{Executable} --config={Configuration} --stanza={Stanza} --pg1-path=\"$PWD\" archive-get %f \"%p\"";

    public override string ArchiveCommand => $"{Executable} --config={Configuration} --stanza={Stanza} archive-push \"%p\"";

    private string Configuration => Path.Combine(folder, "pgbackrest.conf");

    public override async Task<string> DescribeAsync(CancellationToken cancellationToken) =>
        $"{await Tools.FirstLineAsync(Executable, "version")}; {(IsByBlock ? "repo-bundle, repo-block, " : "")}compress-type=zst at its default level, process-max=2, start-fast";

    public override async Task PrepareAsync(CancellationToken cancellationToken)
    {
        await home.PrepareAsync(cancellationToken);
        foreach (string name in new[] { "log", "lock", "spool" })
            ServerAccount.Current.CreateFolder(Path.Combine(folder, name));
        await File.WriteAllTextAsync(
            Configuration,
            $"""
            [global]
            {home.PgBackRestOptions}
            {(IsByBlock ? "repo1-bundle=y\nrepo1-block=y" : "")}
            repo1-retention-full=1000
            log-path={folder}/log
            lock-path={folder}/lock
            spool-path={folder}/spool
            log-level-console=warn
            log-level-file=off
            compress-type=zst
            process-max=2
            start-fast=y
            {(IsAsync ? "archive-async=y" : "")}

            [{Stanza}]
            pg1-path={DataDirectory ?? cluster.DataDirectory}
            pg1-port={cluster.Port}
            pg1-socket-path={cluster.SocketDirectory}
            pg1-user=postgres

            """,
            cancellationToken);
        ServerAccount.Current.Own(Configuration);
        await RunAsync(cancellationToken, [.. DataDirectory is null ? (string[])[] : ["--no-online"], "stanza-create"]);
    }

    public override async Task<IReadOnlyList<Result>> BackUpAsync(bool isFull, CancellationToken cancellationToken)
    {
        Measurement took = await RunAsync(cancellationToken, isFull ? "--type=full" : "--type=incr", "backup");
        IReadOnlyList<string> backups = await home.FoldersInAsync($"backup/{Stanza}/", cancellationToken);
        _newest = backups.Where(static b => b.EndsWith('F') || b.EndsWith('I')).Max(StringComparer.Ordinal) ?? throw new InvalidOperationException("pgBackRest has made no backup.");
        return [new Result(Name, took)];
    }

    public override async Task<IReadOnlyList<Result>> RestoreAsync(string destination, CancellationToken cancellationToken) =>
        [new Result(Name, await RunAsync(cancellationToken, $"--pg1-path={destination}", "--type=immediate", "restore"))];

    public override void WarmNewestBackup(CancellationToken cancellationToken) => home.Warm($"backup/{Stanza}/{_newest}/", cancellationToken);

    public override Task<long> StoredBytesAsync(CancellationToken cancellationToken) => home.BytesAsync($"backup/{Stanza}/{_newest}/", cancellationToken);

    /// <summary>Forgets what was pushed and fetched ahead.</summary>
    public void EmptySpool()
    {
        string spool = Path.Combine(folder, "spool");
        Directory.Delete(spool, recursive: true);
        ServerAccount.Current.CreateFolder(spool);
    }

    /// <summary>Measures archive-push, a process for each of the files, one after the other.</summary>
    public async Task<Measurement> PushAsync(IEnumerable<string> files, CancellationToken cancellationToken)
    {
        (Measurement took, _) = await stopwatches.RunAsync(
            cancellationToken, "bash", ["-c", "set -e; command=$0; for file in \"$@\"; do eval \"${command//%p/$file}\"; done", ArchiveCommand, .. files]);
        return took;
    }

    private async Task<Measurement> RunAsync(CancellationToken cancellationToken, params string[] arguments)
    {
        (Measurement took, _) = await stopwatches.RunAsync(cancellationToken, Executable, [$"--config={Configuration}", $"--stanza={Stanza}", .. arguments]);
        return took;
    }
}
