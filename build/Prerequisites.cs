namespace PgBackup.Build;

/// <summary>Installs what tests, demo and benchmarks need and the machine lacks, from Debian's packages.</summary>
internal static class Prerequisites
{
    private const string ClusterDefaults = "/etc/postgresql-common/createcluster.conf";

    /// <summary>A PostgreSQL server with pgbench.</summary>
    public static readonly Need[] Server = [new("postgresql", HasServerProgram("postgres")), new("postgresql-contrib", HasServerProgram("pgbench"))];

    /// <summary>What links a program that is compiled ahead of time.</summary>
    public static readonly Need[] Linker =
    [
        new("gcc", () => Run.Which("clang") is not null || Run.Which("gcc") is not null),
        new("zlib1g-dev", static () => File.Exists("/usr/include/zlib.h")),
    ];

    /// <summary>Programs that read what we write.</summary>
    public static readonly Need[] Codecs =
    [
        new("zstd", () => Run.Which("zstd") is not null),
        new("lz4", () => Run.Which("lz4") is not null),
        new("xz-utils", () => Run.Which("xz") is not null),
        new("gnupg", () => Run.Which("gpg") is not null && Run.Which("gpg-agent") is not null),
    ];

    /// <summary>Programs to be compared with, and what measures them.</summary>
    public static readonly Need[] Rivals =
    [
        new("pgbackrest", () => Run.Which("pgbackrest") is not null),
        new("zstd", () => Run.Which("zstd") is not null),
        new("time", () => Run.Which("time") is not null),
    ];

    /// <summary>True when the needs are met, or could be.</summary>
    public static bool CanHave(params Need[] needs) =>
        Array.TrueForAll(needs, static n => n.IsMet()) || (Run.Which("apt-get") is not null && (Environment.IsPrivilegedProcess || Run.Which("sudo") is not null));

    /// <summary>Installs the packages whose need is not met.</summary>
    public static async Task EnsureAsync(params Need[] needs)
    {
        string[] missing = [.. needs.Where(n => !n.IsMet()).Select(n => n.Package).Distinct()];
        if (missing.Length == 0)
            return;
        if (Run.Which("apt-get") is null)
            throw new BuildException($"This machine lacks what Debian's packages {string.Join(", ", missing)} bring, and has no apt-get. Install them and try again.");
        if (!Environment.IsPrivilegedProcess && Run.Which("sudo") is null)
            throw new BuildException($"The packages {string.Join(", ", missing)} are missing. Install them as root: apt-get install {string.Join(' ', missing)}");
        Console.WriteLine($"Installing {string.Join(", ", missing)}");
        if (missing.Contains("postgresql"))
            await KeepDebianFromMakingAClusterAsync();
        await AsRootAsync("apt-get", "-q", "update");
        // The file that we have just written is a configuration file of a package: the old one, ours, is kept without a question.
        await AsRootAsync([
            "env", "DEBIAN_FRONTEND=noninteractive", "UCF_FORCE_CONFFOLD=1",
            "apt-get", "-q", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold", "install", .. missing]);
        string[] still = [.. needs.Where(n => !n.IsMet()).Select(n => n.Package).Distinct()];
        if (still.Length > 0)
            throw new BuildException($"After the installation the programs of {string.Join(", ", still)} are still not found.");
    }

    /// <summary>Runs a program as root.</summary>
    public static Task AsRootAsync(params string[] command) =>
        Environment.IsPrivilegedProcess ? Run.OkAsync(command[0], command[1..]) : Run.OkAsync("sudo", command);

    // A new server package creates and starts a cluster "main" unless this file, when it exists before, says otherwise.
    private static async Task KeepDebianFromMakingAClusterAsync()
    {
        if (File.Exists(ClusterDefaults))
            return;
        string text = Path.GetTempFileName();
        await File.WriteAllTextAsync(text, "create_main_cluster = false\n");
        await AsRootAsync("install", "-D", "-m", "644", text, ClusterDefaults);
        File.Delete(text);
    }

    private static Func<bool> HasServerProgram(string program) => () =>
        Run.Which(program) is not null
        || (Directory.Exists("/usr/lib/postgresql") && Directory.GetDirectories("/usr/lib/postgresql").Any(d => File.Exists(Path.Combine(d, "bin", program))));

    /// <summary>A package, and how to see that what it brings is there.</summary>
    internal sealed record Need(string Package, Func<bool> IsMet);
}
