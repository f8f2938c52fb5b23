namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException NoParent(string location, string reason) => new(
        "NoParent", ErrorKind.ObjectNotFound, ExitCodes.NothingFound,
        $"No backup in '{location}' can be the parent of a delta: {reason}.",
        "Take a full backup with -Type Full, or let -Type Auto choose.", location);

    internal static PgBackupException ParentNotUsable(string name, string fault) => new(
        "ParentNotUsable", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"No delta can rest on the backup '{name}': {fault}",
        "Name another parent with -DeltaFrom, or take a full backup with -Type Full.", name);

    internal static PgBackupException ParentGone(string name, string location) => new(
        "ParentGone", ErrorKind.ObjectNotFound, ExitCodes.Failed,
        $"The backup '{name}', which the delta rests on, has been deleted from '{location}' meanwhile.",
        "Nothing was published. Run the backup again, and keep retention from running beside a backup.", name);
}
