using PgBackup.TestServers;

namespace PgBackup.Build;

/// <summary>Puts a newer pgBackRest than Debian 12's into the cache folder of this machine, once: one that stores by blocks and knows PostgreSQL 17.</summary>
internal static class RivalRoots
{
    /// <summary>Puts it there.</summary>
    public static async Task EnsureAsync()
    {
        await Prerequisites.AsRootAsync("mkdir", "-p", ServerCache.Folder);
        await DebianRoots.UnpackAsync(ServerCache.CurrentPgBackRest, "sid", ["pgbackrest"]);
    }
}
