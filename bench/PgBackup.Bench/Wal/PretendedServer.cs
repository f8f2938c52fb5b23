using PgBackup.Tests.Kit;

namespace PgBackup.Bench.Wal;

/// <summary>
/// A data directory with nothing in it but what archiving looks at: the control file, and segments that wait. A shell does what PostgreSQL's archiver does: one command after the other, and
/// the mark of each turned from .ready to .done.
/// </summary>
internal sealed class PretendedServer(Stopwatches stopwatches, PostgresCluster cluster, WalSample wal, string folder)
{
    private const string Archiver = """
        set -e
        cd "$0"; command=$1; stop=$2
        for mark in pg_wal/archive_status/*.ready; do
            name=$(basename "$mark" .ready)
            text=${command//%p/pg_wal/$name}
            sh -c "${text//%f/$name}"
            mv "$mark" "pg_wal/archive_status/$name.done"
            [ $((--stop)) -eq 0 ] && break
        done
        true
        """;

    /// <summary>The data directory.</summary>
    public string DataDirectory => folder;

    private string Status => Path.Combine(folder, "pg_wal", "archive_status");

    /// <summary>All segments are there; so many of them wait.</summary>
    public async Task PrepareAsync(int waiting, CancellationToken cancellationToken)
    {
        if (!File.Exists(Path.Combine(folder, "PG_VERSION")))
        {
            Directory.CreateDirectory(Path.Combine(folder, "global"));
            File.Copy(Path.Combine(cluster.DataDirectory, "global", "pg_control"), Path.Combine(folder, "global", "pg_control"));
            File.Copy(Path.Combine(cluster.DataDirectory, "PG_VERSION"), Path.Combine(folder, "PG_VERSION"));
            Directory.CreateDirectory(Status);
            foreach (string file in wal.Files)
                File.Copy(file, Path.Combine(folder, "pg_wal", Path.GetFileName(file)));
            ServerAccount.Current.Own(folder);
        }
        foreach (string mark in Directory.GetFiles(Status))
            File.Delete(mark);
        foreach (string file in wal.Files.Take(waiting))
            await File.WriteAllTextAsync(Path.Combine(Status, Path.GetFileName(file) + ".ready"), "", cancellationToken);
        ServerAccount.Current.Own(Status);
        foreach (string file in Directory.GetFiles(Path.Combine(folder, "pg_wal")))
            Sizes.Warm(file, cancellationToken);
        (await ToolProcess.RunAsync(new("sync", ["-f", folder]), cancellationToken)).EnsureSuccess();
    }

    /// <summary>Archives what waits, or so many of it.</summary>
    public async Task<Measurement> ArchiveAsync(WalContestant contestant, int most, CancellationToken cancellationToken) =>
        (await stopwatches.RunAsync(contestant.Environment, cancellationToken, "bash", ["-c", Archiver, folder, contestant.PushCommand, $"{most}"])).Took;

    /// <summary>Pushes files that no mark speaks of, one after the other.</summary>
    public async Task<Measurement> PushAsync(WalContestant contestant, IEnumerable<string> names, CancellationToken cancellationToken) =>
        (await stopwatches.RunAsync(
            contestant.Environment, cancellationToken, "bash",
            ["-c", "set -e; cd \"$0\"; command=$1; shift; for name in \"$@\"; do text=${command//%p/pg_wal/$name}; sh -c \"${text//%f/$name}\"; done", folder, contestant.PushCommand, .. names])).Took;

    /// <summary>Fetches files, one after the other, to the name that PostgreSQL gives.</summary>
    /// <param name="contestant">Who.</param>
    /// <param name="names">What.</param>
    /// <param name="pause">How long the server replays each, in seconds.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task<Measurement> FetchAsync(WalContestant contestant, IEnumerable<string> names, double pause, CancellationToken cancellationToken) =>
        (await stopwatches.RunAsync(
            contestant.Environment, cancellationToken, "bash",
            [
                "-c",
                "set -e; cd \"$0\"; command=$1; pause=$2; shift 2; for name in \"$@\"; do text=${command//%p/pg_wal\\/RECOVERYXLOG}; sh -c \"${text//%f/$name}\"; [ $pause = 0 ] || sleep $pause; done",
                folder, contestant.FetchCommand, FormattableString.Invariant($"{pause}"), .. names,
            ])).Took;
}
