using System.Globalization;
using PgBackup.TestServers;

namespace PgBackup.Build;

/// <summary>
/// Puts PostgreSQL's client programs of the versions that this machine's Debian lacks into the cache folder, once: packages of newer releases, unpacked and not installed, and a script
/// beside them for each program, which runs it by the root's own loader. Any account may run them.
/// </summary>
internal static class ClientRoots
{
    private static readonly string[] s_programs = ["pg_dump", "pg_dumpall", "pg_restore", "psql"];

    /// <summary>Puts there what is not.</summary>
    public static async Task EnsureAsync()
    {
        await Prerequisites.AsRootAsync("mkdir", "-p", ServerCache.Folder);
        foreach ((int major, string suite) in ServerCache.ClientSuites)
        {
            await DebianRoots.UnpackAsync(ServerCache.ClientRoot(major), suite, [string.Create(CultureInfo.InvariantCulture, $"postgresql-client-{major}")]);
            if (!Directory.Exists(ServerCache.Clients(major)))
                await WriteLaunchersAsync(major);
        }
    }

    // pg_dumpall looks for pg_dump beside itself, where it finds that program's script.
    private static async Task WriteLaunchersAsync(int major)
    {
        var root = new DebianRoot(ServerCache.ClientRoot(major));
        string temporary = Directory.CreateTempSubdirectory("pgbackup-clients-").FullName;
        try
        {
            foreach (string program in s_programs)
            {
                string launched = Path.Combine(ServerCache.Clients(major), program);
                root.WriteLauncher(Path.Combine("usr", "lib", "postgresql", major.ToString(CultureInfo.InvariantCulture), "bin", program), Path.Combine(temporary, program), launched);
            }
            string begun = $"{ServerCache.Clients(major)}.begun";
            await Prerequisites.AsRootAsync("rm", "-rf", begun);
            await Prerequisites.AsRootAsync("cp", "-r", "--preserve=mode", temporary, begun);
            await Prerequisites.AsRootAsync("chmod", "a+rx", begun);
            await Prerequisites.AsRootAsync("mv", begun, ServerCache.Clients(major));
        }
        finally
        {
            Directory.Delete(temporary, recursive: true);
        }
        await Run.OkAsync(Path.Combine(ServerCache.Clients(major), "pg_dump"), "--version");
    }
}
