using Npgsql;
using PgBackup.Configuration;
using PgBackup.Configuration.Handover;
using PgBackup.Errors;
using PgBackup.Postgres.Server;

namespace PgBackup.Wal.Archiving;

/// <summary>The server's account, and what that account can really read: the server itself is asked.</summary>
public static class CommandAccess
{
    /// <summary>
    /// The account that runs the server; where its data directory is not on this host, this process's own, which will do for a command that needs no file.
    /// Throws <c>CommandAccountUnknown</c>, and what the session throws.
    /// </summary>
    public static async Task<CommandAccount> AccountOfAsync(ServerSession session, RepositorySettings settings, CancellationToken cancellationToken = default)
    {
        // Null for a role that may not see it.
        string? folder = await session.ScalarAsync<string>("SELECT setting FROM pg_settings WHERE name = 'data_directory'", cancellationToken).ConfigureAwait(false);
        return (folder is null ? null : CommandAccount.OwnerOf(folder))
            ?? (CommandConfiguration.NeedsFile(settings) ? throw PgErrors.CommandAccountUnknown(session.Server) : CommandAccount.Current());
    }

    /// <summary>
    /// Has the server read a byte of each file that its commands need: it sees access lists, namespaces and protections of its service that nobody else does. Only the number of bytes comes back.
    /// A role that may not have files read proves nothing, and is no error. Throws <c>CommandFileUnreadable</c>.
    /// </summary>
    public static async Task ProveAsync(ServerSession session, EntryCommand command, CommandConfiguration configuration, CancellationToken cancellationToken = default)
    {
        if (!await session.ScalarAsync<bool>("SELECT has_function_privilege('pg_read_binary_file(text,bigint,bigint,boolean)', 'execute')"
            + " AND (pg_has_role('pg_read_server_files', 'member') OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user))", cancellationToken).ConfigureAwait(false))
            return;
        IEnumerable<string> files = command.Program is NativeProgram native ? [native.Path, .. configuration.NeededFiles] : configuration.NeededFiles;
        foreach (string path in files.Distinct())
        {
            bool isRead;
            try
            {
                isRead = await session.ScalarAsync<bool>("SELECT pg_read_binary_file($1, 0, 1, true) IS NOT NULL", cancellationToken, path).ConfigureAwait(false);
            }
            catch (PgBackupException error) when (error.InnerException is PostgresException { SqlState: PostgresErrorCodes.InsufficientPrivilege })
            {
                isRead = false;
            }
            if (!isRead)
                throw PgErrors.CommandFileUnreadable("the file", path, "(asked of the server itself)");
        }
    }
}
