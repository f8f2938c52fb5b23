using System.Globalization;
using PgBackup.Platform;
using PgBackup.Postgres.Server;

namespace PgBackup.Wal.Status;

/// <summary>Asks this host what is free where the server's pg_wal lies, if it lies here.</summary>
internal static class DiskReader
{
    // postmaster.pid has the second in which the postmaster began; the server's own time is taken a moment later.
    private static readonly TimeSpan s_startGrain = TimeSpan.FromSeconds(10);

    public static async Task<DiskFacts> ReadAsync(ServerSession session, ServerSettings settings, CancellationToken cancellationToken)
    {
        string directory = settings.ValueOf("data_directory");
        if (directory.Length == 0)
            return new DiskFacts(null, "the role may not see where the data directory is (grant it pg_monitor)");
        DateTimeOffset started = await session.ScalarAsync<DateTime>("SELECT pg_postmaster_start_time()", cancellationToken).ConfigureAwait(false);
        try
        {
            // Third line: when the postmaster began (miscadmin.h, LOCK_FILE_LINE_START_TIME). Another host's path may exist here as well.
            string[] postmaster = await File.ReadAllLinesAsync(Path.Combine(directory, "postmaster.pid"), cancellationToken).ConfigureAwait(false);
            if (postmaster is not [_, _, var second, ..] || !long.TryParse(second, CultureInfo.InvariantCulture, out long epoch)
                || (started - DateTimeOffset.FromUnixTimeSeconds(epoch)).Duration() > s_startGrain)
                return new DiskFacts(null, $"the data directory '{directory}' on this host is another server's");
            return new DiskFacts(new DriveInfo(RealPath.Of(Path.Combine(directory, "pg_wal"))).AvailableFreeSpace, null);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return new DiskFacts(null, $"the data directory '{directory}' is not on this host, or this account may not look into it");
        }
    }
}
