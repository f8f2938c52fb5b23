namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException DumpNotFound(string path) => new(
        "DumpNotFound", ErrorKind.ObjectNotFound, ExitCodes.NothingFound,
        $"There is no file and no folder '{path}'.",
        "Give the path of a dump as -Path, or the name of a backup as -Name; Get-PgBackup lists them.", path);

    internal static PgBackupException DumpNotReadable(string name, string reason, Exception? inner = null) => new(
        "DumpNotReadable", ErrorKind.InvalidData, ExitCodes.Failed,
        $"'{name}' cannot be restored: {reason}.",
        "Nothing was changed. Give a dump of pg_dump or pg_dumpall: a custom or tar archive, an SQL script, each also compressed, or the folder of the directory format.", name, inner);

    internal static PgBackupException TargetDatabaseMissing(string name) => new(
        "TargetDatabaseMissing", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"Into which database '{name}' is to be restored was not said.",
        "Give -TargetDatabase.", name);

    internal static PgBackupException RestoreOptionsInvalid(string reason, string hint) => new(
        "RestoreOptionsInvalid", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration, reason, hint);

    internal static PgBackupException TargetNotEmpty(string database, string server, string holds) => new(
        "TargetNotEmpty", ErrorKind.ResourceExists, ExitCodes.Failed,
        $"The database '{database}' on {server} is not empty: it holds {holds}.",
        "Nothing was changed. Give another -TargetDatabase, or -Clean -IfExists to replace what the dump holds, -DataOnly to load into the tables that are there, or -Force to restore beside what is there.", database);

    internal static PgBackupException TargetHoldsObjects(string database, string server, string holds) => new(
        "TargetHoldsObjects", ErrorKind.ResourceExists, ExitCodes.Failed,
        $"The database '{database}' on {server} holds what is to be restored: {holds}.",
        "Nothing was changed. Give -Clean to replace them, -DataOnly to load into them, another -TargetDatabase, or -Force to try all the same.", database);

    internal static PgBackupException TableNotInDump(string table, string dump, IReadOnlyList<string> similar) => new(
        "TableNotInDump", ErrorKind.ObjectNotFound, ExitCodes.NothingFound,
        $"The dump '{dump}' holds no table, view or sequence '{table}'.",
        (similar.Count == 0 ? "Names are exact, no patterns: schema.table, upper and lower case as in the database." : $"Names are exact, no patterns. It holds {string.Join(", ", similar)}.")
            + " Nothing was changed.", table);

    internal static PgBackupException TableAmbiguous(string table, string dump, IReadOnlyList<string> found) => new(
        "TableAmbiguous", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"'{table}' is more than one table of the dump '{dump}': {string.Join(", ", found)}.",
        "Give the schema along: -Table schema.table.", table);

    internal static PgBackupException SchemaNotInDump(string schema, string dump) => new(
        "SchemaNotInDump", ErrorKind.ObjectNotFound, ExitCodes.NothingFound,
        $"The dump '{dump}' holds nothing in a schema '{schema}'.",
        "Names are exact, no patterns. Nothing was changed.", schema);

    internal static PgBackupException DatabaseNotCreated(string database, string server, string reason, Exception inner) => new(
        "DatabaseNotCreated", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"The database '{database}' could not be created on {server}: {reason}",
        "A role needs CREATEDB for it. Where the server does not have the locale of the dump, create the database yourself (CREATE DATABASE … TEMPLATE template0), and restore into it.", database, inner);

    internal static PgBackupException ScratchFolderFailed(string folder, Exception inner) => new(
        "ScratchFolderFailed", ErrorKind.WriteError, ExitCodes.Failed,
        $"The dump could not be put into '{folder}': {inner.Message}",
        "It needs room for the whole dump there: make room, or name another folder with -ScratchDirectory. With -ThrottleLimit 1 a custom dump is restored as it is read, and needs none.", folder, inner);

    internal static PgBackupException ScriptConnectsElsewhere(string name, int line) => new(
        "ScriptConnectsElsewhere", ErrorKind.InvalidData, ExitCodes.Failed,
        $"The script '{name}' changes the database by itself (\\connect in line {line}): what follows would not go to the target.",
        "What stood before that line was run. Dump without --create, or run the script yourself: psql -f.", name);

    internal static PgBackupException ObjectNotRestored(DatabaseObject? item, string message) => new(
        "ObjectNotRestored", ErrorKind.InvalidOperation, ExitCodes.Partial,
        item is null ? $"Not restored: {message}" : $"{item}: {message}",
        "The message is PostgreSQL's own. The restore is not complete without it.", item);

    internal static PgBackupException RestoreIncomplete(DatabaseRestoreResult result) => new(
        "RestoreIncomplete", ErrorKind.InvalidOperation, ExitCodes.Partial,
        $"'{result.Source}' was restored in part{(result.Database is null ? "" : $" into the database '{result.Database}'")}: {(result.ErrorCount == 1 ? "one error" : $"{result.ErrorCount} errors")}.",
        "The errors before this one name what is missing. Mend the cause and restore again into a new database, or with -Clean -IfExists; -SingleTransaction restores all or nothing.", result.Database ?? result.Source);

    internal static PgBackupException DatabaseRestoreFailed(string source, string? database, string reason, string kept) => new(
        "DatabaseRestoreFailed", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"Restoring '{source}'{(database is null ? "" : $" into the database '{database}'")} failed: {reason}",
        $"{kept} Run the command again with -Verbose to see each line of the program.", database ?? source);

    internal static PgBackupException RestoreInputBroken(string source, string? database, string kept, PgBackupException inner) => new(
        "RestoreInputBroken", inner.Kind, inner.ExitCode,
        $"'{source}' could not be read to its end, and the restore{(database is null ? "" : $" into the database '{database}'")} was ended: {inner.Message}",
        $"{kept} {inner.Hint}", database ?? source, inner);
}
