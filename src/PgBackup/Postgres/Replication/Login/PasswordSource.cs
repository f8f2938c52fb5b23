using Npgsql;

namespace PgBackup.Postgres.Replication.Login;

/// <summary>Where the password of a login comes from, in libpq's order: given, PGPASSWORD, the password file.</summary>
internal static class PasswordSource
{
    // What libpq calls the database of a physical replication connection.
    private const string Database = "replication";

    /// <summary>The password; without one, a complaint when something stood in the way.</summary>
    public static (string? Password, string? Complaint) Find(NpgsqlConnectionStringBuilder settings)
    {
        if (settings.Password is { Length: > 0 } given)
            return (given, null);
        if (Environment.GetEnvironmentVariable("PGPASSWORD") is { Length: > 0 } variable)
            return (variable, null);
        string? path = settings.Passfile ?? (Environment.GetEnvironmentVariable("PGPASSFILE") is { Length: > 0 } named ? named : PasswordFile.DefaultPath);
        return path is null ? (null, null) : PasswordFile.Find(path, settings.Host!, settings.Port, Database, settings.Username!);
    }
}
