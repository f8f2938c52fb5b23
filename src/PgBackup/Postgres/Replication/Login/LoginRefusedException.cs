namespace PgBackup.Postgres.Replication.Login;

/// <summary>A login that ends on our side: no password, a method that we do not speak, a server that did not prove itself.</summary>
internal sealed class LoginRefusedException(string reason) : Exception(reason);
