using PgBackup.Postgres.Replication.Login;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Postgres.Replication;

/// <summary>The rules of libpq's password file.</summary>
public sealed class PasswordFileTests
{
    [Theory]
    [InlineData("db1:5432:replication:backup:secret", "secret")]
    [InlineData("*:*:*:*:secret", "secret")]
    [InlineData("db1:5433:replication:backup:secret", null)]
    [InlineData("db2:5432:replication:backup:secret", null)]
    [InlineData("db1:5432:postgres:backup:secret", null)]
    [InlineData("db1:5432:*:other:secret", null)]
    [InlineData("#db1:5432:*:backup:secret\ndb1:*:*:backup:second", "second")]
    [InlineData("db1:5432:*:backup:first\ndb1:*:*:backup:second", "first")]
    [InlineData("db1:5432:*:backup:with\\:colon and \\\\", "with:colon and \\")]
    [InlineData("db1:5432:*:backup:a:b:c", "a:b:c")]
    [InlineData("db1:5432:\\*:backup:secret", null)]
    [InlineData("db1:5432:backup:secret", null)]
    [InlineData("", null)]
    public void TheFirstLineThatFits(string content, string? expected) =>
        Assert.Equal(expected, PasswordFile.Find(content.Split('\n'), "db1", 5432, "replication", "backup"));

    [Fact]
    public void AnUsualSocketIsLocalhost()
    {
        Assert.Equal("x", PasswordFile.Find(["localhost:5432:*:backup:x"], "/var/run/postgresql", 5432, "replication", "backup"));
        Assert.Equal("x", PasswordFile.Find(["/var/run/postgresql:5432:*:backup:x"], "/var/run/postgresql", 5432, "replication", "backup"));
        Assert.Null(PasswordFile.Find(["localhost:5432:*:backup:x"], "/srv/run", 5432, "replication", "backup"));
    }

    [Fact]
    public void AFileThatOthersMayReadIsNotUsed()
    {
        using TempFolder folder = new();
        string path = folder.Combine("pass");
        File.WriteAllText(path, "*:*:*:*:secret\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.GroupRead);
        (string? password, string? complaint) = PasswordFile.Find(path, "db1", 1, "replication", "u");
        Assert.Null(password);
        Assert.Contains(path, complaint, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", complaint, StringComparison.Ordinal);
        File.SetUnixFileMode(path, UnixFileMode.UserRead);
        Assert.Equal(("secret", null), PasswordFile.Find(path, "db1", 1, "replication", "u"));
        Assert.Equal((null, null), PasswordFile.Find(folder.Combine("none"), "db1", 1, "replication", "u"));
    }
}
