using System.Security.Cryptography;
using System.Text;
using PgBackup.Backup.Remote;
using PgBackup.Postgres.Replication;
using PgBackup.Tests.Postgres.Replication;

namespace PgBackup.Tests.Backup.Remote;

/// <summary>Archives and manifests that no PostgreSQL sends.</summary>
public sealed class HostileStreamTests
{
    [Theory]
    [InlineData("/etc/passwd")]
    [InlineData("../x")]
    [InlineData("/../../x")]
    [InlineData("base/../../x")]
    [InlineData("base//1")]
    [InlineData("base/./1")]
    [InlineData("././base")]
    [InlineData("..")]
    [InlineData("")]
    public void ANameThatLeadsOutOfTheDataDirectoryIsRefused(string name)
    {
        foreach (ServerTarKind kind in Enum.GetValues<ServerTarKind>())
        {
            foreach (string prefix in new[] { "", "pg_tblspc/16400/" })
                Assert.Throws<InvalidDataException>(() => Member(kind, name, prefix));
        }
    }

    [Theory]
    [InlineData("base/1/2619")]
    [InlineData("odd folder/...")]
    [InlineData(" ")]
    public void OtherNamesAreNot(string name) => Assert.Equal("/" + name, Member(ServerTarKind.File, name, "").Name);

    [Fact]
    public void TheServersFoldersOfPgWalAreTakenAsWhatTheyAre()
    {
        Assert.Equal("/pg_wal/archive_status", Member(ServerTarKind.Folder, "./pg_wal/archive_status", "").Name);
        Assert.Throws<InvalidDataException>(() => Member(ServerTarKind.File, "./base/1/1259", ""));
    }

    [Fact]
    public async Task AManifestThatIsNotUtf8CannotBeRead()
    {
        byte[] start = "{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n\"Files\": [\n{ \"Path\": \"bad"u8.ToArray();
        byte[] rest = "\", \"Size\": 0, \"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"00000000\" }\n],\n"u8.ToArray();
        byte[] body = [.. start, 0xFF, .. rest];
        byte[] end = Encoding.ASCII.GetBytes($"\"Manifest-Checksum\": \"{Convert.ToHexStringLower(SHA256.HashData(body))}\"}}\n");
        using var manifest = new MemoryStream([.. body, .. end]);
        InvalidDataException error = await Assert.ThrowsAsync<InvalidDataException>(() => new ManifestCheck(new ReceivedFiles()).ReadAsync(manifest, default));
        Assert.Contains("cannot be read", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task WhatFollowsTheWordManifestIsNotTakenForIt(bool hasContent)
    {
        byte[] manifest = hasContent ? [(byte)'m', (byte)'{'] : [(byte)'m'];
        byte[] messages = [.. ScriptedServer.Message('H', [0, 0, 0]), .. ScriptedServer.Message('d', "nbase.tar\0\0"u8), .. ScriptedServer.Message('d', manifest)];
        await using WireStream wire = new(new MemoryStream(messages));
        ArchiveCursor cursor = new(new CommandChannel(wire, OperationLog.None), wire, typed: true, [new BaseBackupTablespace(null, null, null)]);
        Assert.Equal(ArchiveStep.Tablespace, await cursor.MoveAsync(default));
        if (hasContent)
            await Assert.ThrowsAsync<ProtocolViolationException>(() => cursor.MoveAsync(default).AsTask());
        else
            Assert.Equal(ArchiveStep.Manifest, await cursor.MoveAsync(default));
    }

    private static ReceivedMember Member(ServerTarKind kind, string name, string prefix) =>
        new(new ServerTarMember(Encoding.UTF8.GetBytes(name), kind, 0, 0, 0), Encoding.UTF8.GetBytes(prefix + name));
}
