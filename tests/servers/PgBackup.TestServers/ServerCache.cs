namespace PgBackup.TestServers;

/// <summary>Where the servers lie; <c>./build.sh Test</c> puts them there, once for each machine.</summary>
public static class ServerCache
{
    /// <summary>The version of s3rver that the tests know.</summary>
    public const string S3rverVersion = "3.7.1";

    /// <summary>The major versions of PostgreSQL that come from npm, with the package's version. Version 15 is Debian's.</summary>
    public static IReadOnlyDictionary<int, string> PostgresPackages { get; } = new Dictionary<int, string>
    {
        [13] = "13.23.0-beta.16",
        [14] = "14.23.0-beta.17",
        [16] = "16.14.0-beta.17",
        [17] = "17.10.0-beta.17",
        [18] = "18.4.0-beta.17",
    };

    /// <summary>The major versions whose client programs come from a newer release of Debian, with the release.</summary>
    public static IReadOnlyDictionary<int, string> ClientSuites { get; } = new Dictionary<int, string>
    {
        [17] = "trixie",
        [18] = "sid",
    };

    /// <summary>The folder of them all.</summary>
    public static string Folder => "/var/cache/pgbackup-tests";

    /// <summary>A link to the root with the newest Ceph that could be had: of Debian sid, of trixie, or <see cref="OldCeph"/>.</summary>
    public static string CurrentCeph => Path.Combine(Folder, "ceph-current");

    /// <summary>The root with Ceph 16.2.</summary>
    public static string OldCeph => Path.Combine(Folder, "ceph-bookworm");

    /// <summary>The root with Swift 2.30.</summary>
    public static string Swift => Path.Combine(Folder, "swift-bookworm");

    /// <summary>The root with a pgBackRest that stores by blocks (2.46 and later), for the benchmarks.</summary>
    public static string CurrentPgBackRest => Path.Combine(Folder, "pgbackrest-sid");

    /// <summary>The folder that s3rver is installed in.</summary>
    public static string S3rverFolder => Path.Combine(Folder, $"s3rver-{S3rverVersion}");

    /// <summary>The program of s3rver.</summary>
    public static string S3rver => Path.Combine(S3rverFolder, "node_modules", "s3rver", "bin", "s3rver.js");

    /// <summary>The folder of a PostgreSQL that comes from npm: <c>bin</c>, with <c>initdb</c>, <c>pg_ctl</c> and <c>postgres</c> alone, <c>lib</c> and <c>share</c>.</summary>
    public static string Postgres(int major) => Path.Combine(Folder, $"postgres-{PostgresPackages[major]}");

    /// <summary>The root with PostgreSQL's client programs of one of <see cref="ClientSuites"/>.</summary>
    public static string ClientRoot(int major) => Path.Combine(Folder, $"postgresql-client-{major}-{ClientSuites[major]}");

    /// <summary>The folder of the scripts that run them: <c>pg_dump</c>, <c>pg_dumpall</c>, <c>pg_restore</c>, <c>psql</c>.</summary>
    public static string Clients(int major) => Path.Combine(Folder, $"postgresql-client-{major}");
}
