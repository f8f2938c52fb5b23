using Npgsql;
using PgBackup.Errors;
using PgBackup.Postgres.Server;
using PgBackup.Repository.Dumps;

namespace PgBackup.Logical.Load;

/// <summary>Which options go together, and with which dumps.</summary>
internal static class LoadRules
{
    /// <summary>Throws <c>RestoreOptionsInvalid</c>.</summary>
    public static void Check(DumpSource source, LoadOptions options)
    {
        if (options.SchemaOnly && options.DataOnly)
            throw Invalid("-SchemaOnly and -DataOnly together leave nothing.", "Give one of them.");
        if (options.IfExists && !options.Clean)
            throw Invalid("-IfExists says something of -Clean alone.", "Give -Clean -IfExists.");
        if (options.Clean && options.DataOnly)
            throw Invalid("-Clean drops the tables that -DataOnly loads into.", "Give one of them.");
        if (options.SingleTransaction && options.ThrottleLimit > 1)
            throw Invalid("One transaction is one session: -SingleTransaction does not go with a -ThrottleLimit over 1.", "Leave one of them out.");
        if (source.Content == DumpContent.Globals)
            CheckGlobals(source, options);
        if (source.Format == DumpFormat.Plain && Archived(options) is { } option)
        {
            throw Invalid(
                $"'{source.Name}' is an SQL script, which is run as it is: {option} needs an archive.",
                "Leave the option out, or take a dump with -Format Custom or Directory. What a script drops first was chosen when it was dumped (pg_dump --clean).");
        }
        if (source.Format == DumpFormat.Tar && options.ThrottleLimit > 1)
            throw Invalid($"'{source.Name}' is of the tar form, which pg_restore restores one by one.", "Leave -ThrottleLimit out.");
    }

    /// <summary>The database that the connection names; null when nothing but a default would.</summary>
    public static string? DatabaseOf(ServerConnectionSettings server) =>
        server.Database
        ?? (server.ConnectionString is null ? null : new NpgsqlConnectionStringBuilder(server.ConnectionString).Database)
        ?? (Environment.GetEnvironmentVariable("PGDATABASE") is { Length: > 0 } name ? name : null);

    private static void CheckGlobals(DumpSource source, LoadOptions options)
    {
        if (!options.Globals)
        {
            throw Invalid(
                $"'{source.Name}' holds roles and tablespaces of a whole server, no database.",
                "Give -Globals to restore them. Roles that are there already get the passwords and attributes of the dump.");
        }
        if (options.TargetDatabase is not null)
            throw Invalid("Roles and tablespaces belong to no database.", "Leave -TargetDatabase out.");
        if (options.SingleTransaction)
            throw Invalid("Tablespaces cannot be created in a transaction, and a role that is there would end it.", "Leave -SingleTransaction out.");
    }

    private static string? Archived(LoadOptions options) =>
        options.Clean ? "-Clean" : options.Tables.Count > 0 ? "-Table" : options.Schemas.Count > 0 ? "-Schema" : options.SchemaOnly ? "-SchemaOnly" : options.DataOnly ? "-DataOnly"
        : options.NoOwner ? "-NoOwner" : options.NoPrivilege ? "-NoPrivilege" : options.ThrottleLimit > 1 ? "-ThrottleLimit" : null;

    private static PgBackupException Invalid(string reason, string hint) => PgErrors.RestoreOptionsInvalid(reason, hint);
}
