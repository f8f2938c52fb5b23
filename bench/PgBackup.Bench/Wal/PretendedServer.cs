using PgBackup.Tests.Kit;

namespace PgBackup.Bench.Wal;

/// <summary>
/// A data directory with nothing in it but what archiving looks at: the control file, and segments that wait. A few lines of Perl do what PostgreSQL's archiver does: one command after the
/// other, by system(), and the mark of each renamed from .ready to .done.
/// </summary>
internal sealed class PretendedServer(Stopwatches stopwatches, PostgresCluster cluster, WalSample wal, string folder)
{
    private const string Archiver = """
        my ($folder, $command, $most) = @ARGV;
        chdir $folder or die $!;
        for my $mark (sort glob "pg_wal/archive_status/*.ready") {
            my ($name) = $mark =~ m{([^/]+)\.ready$};
            (my $text = $command) =~ s{%p}{pg_wal/$name}g;
            $text =~ s/%f/$name/g;
            system("sh", "-c", $text) == 0 or die "'$text' failed";
            rename $mark, "pg_wal/archive_status/$name.done" or die $!;
            last if --$most == 0;
        }
        """;

    private const string Caller = """
        my ($folder, $command, $path, $pause, @names) = @ARGV;
        chdir $folder or die $!;
        for my $name (@names) {
            my $file = $path eq "" ? "pg_wal/$name" : $path;
            (my $text = $command) =~ s/%p/$file/g;
            $text =~ s/%f/$name/g;
            system("sh", "-c", $text) == 0 or die "'$text' failed";
            select undef, undef, undef, $pause if $pause;
        }
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
        (await stopwatches.RunAsync(contestant.Environment, cancellationToken, "perl", ["-e", Archiver, folder, contestant.PushCommand, $"{most}"])).Took;

    /// <summary>Pushes files that no mark speaks of, one after the other.</summary>
    public async Task<Measurement> PushAsync(WalContestant contestant, IEnumerable<string> names, CancellationToken cancellationToken) =>
        (await stopwatches.RunAsync(contestant.Environment, cancellationToken, "perl", ["-e", Caller, folder, contestant.PushCommand, "", "0", .. names])).Took;

    /// <summary>Fetches files, one after the other, to the name that PostgreSQL gives.</summary>
    /// <param name="contestant">Who.</param>
    /// <param name="names">What.</param>
    /// <param name="pause">How long the server replays each, in seconds.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task<Measurement> FetchAsync(WalContestant contestant, IEnumerable<string> names, double pause, CancellationToken cancellationToken) =>
        (await stopwatches.RunAsync(
            contestant.Environment, cancellationToken, "perl",
            ["-e", Caller, folder, contestant.FetchCommand, "pg_wal/RECOVERYXLOG", FormattableString.Invariant($"{pause}"), .. names])).Took;
}
