namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException WalArchiveEmpty(string location) => new(
        "WalArchiveEmpty", ErrorKind.ObjectNotFound, ExitCodes.NothingFound,
        $"The repository '{location}' holds neither WAL nor a backup.",
        "Check the name of the repository; Enable-PgWalArchiving makes a server archive into it.", location);

    internal static PgBackupException WalTimelineNotFound(string location, TimelineId timeline) => new(
        "WalTimelineNotFound", ErrorKind.ObjectNotFound, ExitCodes.NothingFound,
        $"The repository '{location}' holds nothing of timeline {timeline}.",
        "See with Get-PgWalSegment which timelines there are.", timeline.ToString());

    internal static PgBackupException WalRangeInvalid(string from, string last) => new(
        "WalRangeInvalid", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"There is nothing to check from {from} on: the newest segment is {last}.",
        "Give an older LSN or segment as -From; Get-PgWalSegment shows what there is.", from);

    internal static PgBackupException WalPositionInvalid(string text) => new(
        "WalPositionInvalid", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"'{text}' is neither an LSN nor the name of a segment.",
        "Write for example 16/B374D848, or 000000010000001600000003.", text);

    internal static PgBackupException WalGapNotAcknowledged(string range, string reason) => new(
        "WalGapNotAcknowledged", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The range {range} is not acknowledged: {reason}",
        "Pipe missing ranges: Get-PgWalSegment | Where-Object State -eq Missing | Test-PgWalArchive -Reason 'why they are gone'.", range);

    internal static PgBackupException WalArchiveCheckFailed(string location, TimelineId timeline, IReadOnlyList<string> reasons) => new(
        "WalArchiveCheckFailed", ErrorKind.InvalidData, ExitCodes.VerificationFailed,
        $"The WAL archive in '{location}' is not in order on timeline {timeline}: {string.Join(" ", reasons)}",
        "Bring back what is missing or damaged where a copy is left (Push-PgWal from pg_wal of the server or a standby); else take a new backup with Backup-PgCluster.", location);

    internal static PgBackupException WalServerForeign(string location, string server, ulong cluster) => new(
        "ClusterIdentityMismatch", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"The repository '{location}' holds nothing of the cluster {cluster}, which runs at {server}.",
        "Name the server that archives into this repository, or the repository that this server archives into.", server);
}
