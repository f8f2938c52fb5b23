using FsCheck;
using FsCheck.Fluent;
using Npgsql;
using PgBackup.Errors;
using PgBackup.Postgres.Server;
using Xunit;

namespace PgBackup.Tests.Postgres;

/// <summary>Connection strings in the three forms that are written.</summary>
public sealed class ConnectionTextTests
{
    [Theory]
    [InlineData("postgresql://user:pass@host:5433/mydb?sslmode=require", "host", 5433, "user", "pass", "mydb", "Require")]
    [InlineData("postgres://user@host/mydb", "host", 5432, "user", null, "mydb", null)]
    [InlineData("postgresql://u%40x:p%3Aa%2Fs%25s%26@h/d%20b", "h", 5432, "u@x", "p:a/s%s&", "d b", null)]
    [InlineData("postgresql://u:p+q@h/d", "h", 5432, "u", "p+q", "d", null)]
    [InlineData("postgresql://[2001:db8::1]:5433/db", "2001:db8::1", 5433, null, null, "db", null)]
    [InlineData("postgresql://%2Fvar%2Frun%2Fpostgresql/db", "/var/run/postgresql", 5432, null, null, "db", null)]
    [InlineData("postgresql:///db?host=/run/pg&port=5434&user=me", "/run/pg", 5434, "me", null, "db", null)]
    [InlineData("postgresql://h/db?sslmode=verify-full&application_name=x&connect_timeout=3", "h", 5432, null, null, "db", "VerifyFull")]
    [InlineData("postgresql://h/a%3Db", "h", 5432, null, null, "a=b", null)]
    [InlineData("host=db1 port=5433 user=u dbname=d", "db1", 5433, "u", null, "d", null)]
    [InlineData("host = db1  password = 'it\\'s a \\\\ secret' dbname='my db'", "db1", 5432, null, "it's a \\ secret", "my db", null)]
    [InlineData("host=db1 dbname=d password=a;b", "db1", 5432, null, "a;b", "d", null)]
    [InlineData("host=db1 sslmode=verify-ca channel_binding=require target_session_attrs=any", "db1", 5432, null, null, null, "VerifyCA")]
    [InlineData("hostaddr=10.0.0.1 host=db1", "10.0.0.1", 5432, null, null, null, null)]
    [InlineData("Host=db1;Port=5433;Username=u;Password=p q;Database=d", "db1", 5433, "u", "p q", "d", null)]
    [InlineData("host=db1;port=5433;password='a;b'", "db1", 5433, null, "a;b", null, null)]
    [InlineData("Host=db1", "db1", 5432, null, null, null, null)]
    [InlineData("host=db1;", "db1", 5432, null, null, null, null)]
    public void IsRead(string text, string? host, int port, string? user, string? password, string? database, string? sslMode)
    {
        NpgsqlConnectionStringBuilder read = ConnectionText.Parse(text);
        Assert.Equal((host, port, user, password, database), (read.Host, read.Port, read.Username, read.Password, read.Database));
        if (sslMode is not null)
            Assert.Equal(sslMode, read.SslMode.ToString());
    }

    [Theory]
    [InlineData("postgresql://u:SECRET@a,b/db", "several hosts")]
    [InlineData("host=a,b password=SECRET", "several hosts")]
    [InlineData("postgresql://u:SECRET@h:99999/db", "port")]
    [InlineData("postgresql://u:SE%CRET@h/db", "%25")]
    [InlineData("postgresql://u@h/db?password=a&SECRET=b", "not known")]
    [InlineData("postgresql://u@h/db?SECRET", "no value")]
    [InlineData("host=h password='SECRET", "not closed")]
    [InlineData("host=h service=SECRET", "service")]
    [InlineData("host=h sslmode=SECRET", "sslmode")]
    [InlineData("host=h;SECRET=1", "cannot be read")]
    [InlineData("SECRET", "cannot be read")]
    public void IsRefusedInWordsWithoutItsContent(string text, string reason)
    {
        PgBackupException error = Assert.Throws<PgBackupException>(() => new ServerConnectionSettings { ConnectionString = text }.Describe());
        Assert.Equal("ConnectionSettingsInvalid", error.Id);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("SECRET", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void AnyNameAndPasswordSurvivesBothForms() => Prop.ForAll<NonEmptyString, NonEmptyString>((database, password) =>
    {
        string name = Clean(database.Get), secret = Clean(password.Get);
        if (name.Length == 0 || secret.Length == 0)
            return;
        NpgsqlConnectionStringBuilder uri = ConnectionText.Parse($"postgresql://u:{Uri.EscapeDataString(secret)}@h/{Uri.EscapeDataString(name)}");
        NpgsqlConnectionStringBuilder pairs = ConnectionText.Parse($"host=h dbname={Quoted(name)} password={Quoted(secret)}");
        Assert.Equal((name, secret), (uri.Database, uri.Password));
        Assert.Equal((name, secret), (pairs.Database, pairs.Password));

        static string Quoted(string value) => $"'{value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}'";

        // Not half characters, which no name has.
        static string Clean(string text) => string.Concat(text.EnumerateRunes().Where(rune => rune.Value is not (0 or 0xFFFD)));
    }).QuickCheckThrowOnFailure();
}
