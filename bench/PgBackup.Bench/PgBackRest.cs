using PgBackup.Tests.Kit;

namespace PgBackup.Bench;

/// <summary>pgBackRest with zstd at its default level and two processes, run as the server's account with paths of its own.</summary>
internal sealed class PgBackRest(Stopwatches stopwatches, PostgresCluster cluster, string folder) : Contestant
{
    private const string Stanza = "bench";

    private readonly string _program = Tools.Find("pgbackrest");

    private string Configuration => Path.Combine(folder, "pgbackrest.conf");

    private string BackupFolder => Path.Combine(folder, "repo", "backup", Stanza);

    public override string Name => "pgBackRest";

    public override string NewestBackup =>
        Directory.GetDirectories(BackupFolder, "*F").Max(StringComparer.Ordinal) ?? throw new InvalidOperationException("pgBackRest has made no backup.");

    /// <summary>The value for archive_command.</summary>
    public string ArchiveCommand => $"{_program} --config={Configuration} --stanza={Stanza} archive-push \"%p\"";

    public override async Task<string> DescribeAsync(CancellationToken cancellationToken) =>
        $"{await Tools.FirstLineAsync(_program, "version")}; type=full, compress-type=zst at its default level, process-max=2, start-fast";

    public override async Task PrepareAsync(CancellationToken cancellationToken)
    {
        foreach (string name in new[] { "repo", "log", "lock", "spool" })
            ServerAccount.Current.CreateFolder(Path.Combine(folder, name));
        await File.WriteAllTextAsync(
            Configuration,
            $"""
            [global]
            repo1-path={folder}/repo
            repo1-retention-full=1000
            log-path={folder}/log
            lock-path={folder}/lock
            spool-path={folder}/spool
            log-level-console=warn
            log-level-file=off
            compress-type=zst
            process-max=2
            start-fast=y

            [{Stanza}]
            pg1-path={cluster.DataDirectory}
            pg1-port={cluster.Port}
            pg1-socket-path={cluster.SocketDirectory}
            pg1-user=postgres

            """,
            cancellationToken);
        await RunAsync(cancellationToken, "stanza-create");
    }

    public override async Task<IReadOnlyList<Result>> BackUpAsync(CancellationToken cancellationToken) =>
        [new Result(Name, await RunAsync(cancellationToken, "--type=full", "backup"))];

    public override async Task<IReadOnlyList<Result>> RestoreAsync(string destination, CancellationToken cancellationToken) =>
        [new Result(Name, await RunAsync(cancellationToken, $"--pg1-path={destination}", "--type=immediate", "restore"))];

    private async Task<Measurement> RunAsync(CancellationToken cancellationToken, params string[] arguments)
    {
        (Measurement took, _) = await stopwatches.RunAsync(cancellationToken, _program, [$"--config={Configuration}", $"--stanza={Stanza}", .. arguments]);
        return took;
    }
}
