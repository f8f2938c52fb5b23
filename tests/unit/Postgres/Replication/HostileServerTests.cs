using System.Diagnostics;
using PgBackup.Errors;
using PgBackup.Postgres.Replication;

namespace PgBackup.Tests.Postgres.Replication;

/// <summary>Servers that are none, or that pretend to be another.</summary>
public sealed class HostileServerTests
{
    [Fact]
    public async Task AServerThatDoesNotKnowThePasswordIsFoundOut()
    {
        // It takes the client's nonce from nowhere, so the exchange ends there.
        await RefusedAsync("ServerConnectionFailed", "SCRAM", ScriptedServer.Authentication(10, "SCRAM-SHA-256\0\0"), ScriptedServer.Authentication(11, "r=abc,s=AAAA,i=4096"));
        await RefusedAsync("AuthenticationFailed", "without proving", ScriptedServer.Authentication(10, "SCRAM-SHA-256\0\0"), ScriptedServer.Authentication(0));
        await RefusedAsync("AuthenticationFailed", "could not prove", ScriptedServer.Authentication(10, "SCRAM-SHA-256\0\0"), ScriptedServer.Authentication(12, "v=AAAA"));
        await RefusedAsync("AuthenticationFailed", "SCRAM-SHA-3", ScriptedServer.Authentication(10, "SCRAM-SHA-3\0\0"));
    }

    [Fact]
    public async Task AServerThatAsksForNothingBindsNothing()
    {
        await using ScriptedServer server = new(ScriptedServer.Authentication(0));
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(
            () => ReplicationConnection.OpenAsync(server.Settings with { ConnectionString = "Timeout=2;Channel Binding=Require" }));
        Assert.Equal("AuthenticationFailed", error.Id);
        Assert.Contains("without binding it", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnswersThatAreNone()
    {
        byte[] welcome = [.. ScriptedServer.Authentication(0), .. ScriptedServer.Message('K', [0, 0, 0, 1, 0, 0, 0, 1]), .. ScriptedServer.Message('Z', "I"u8)];
        await RefusedAsync("ServerAnswerUnexpected", "negative number of columns", welcome, [.. ScriptedServer.Message('T', [0, 0]), .. ScriptedServer.Message('D', [0xFF, 0xFF])]);

        foreach (string[] row in (string[][])[["no number", "1", "0/1"], ["-1", "1", "0/1"], ["1", "0", "0/1"], ["1", "x", "0/1"], ["1", "1", "0"]])
        {
            await using ScriptedServer server = new(welcome, ScriptedServer.Rows("150000"), ScriptedServer.Rows(row));
            await using ReplicationConnection connection = await ReplicationConnection.OpenAsync(server.Settings);
            PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => connection.IdentifySystemAsync());
            Assert.Equal("ServerAnswerUnexpected", error.Id);
        }
    }

    [Theory]
    [InlineData(2, "Kerberos")]
    [InlineData(7, "GSSAPI")]
    [InlineData(9, "SSPI")]
    [InlineData(77, "number 77")]
    public Task MethodsThatWeDoNotSpeak(int code, string name) => RefusedAsync("AuthenticationFailed", name, ScriptedServer.Authentication(code));

    [Fact]
    public async Task OtherProtocols()
    {
        await RefusedAsync("ServerConnectionFailed", "message", "HTTP/1.1 400 Bad Request\r\n\r\n"u8.ToArray());
        await RefusedAsync("ServerConnectionFailed", "impossible length", "R\0\0\0\0"u8.ToArray());
        await RefusedAsync("ServerConnectionFailed", "ends too early", ScriptedServer.Message('R', [0]));
        await RefusedAsync("ServerConnectionFailed", "twice", ScriptedServer.Authentication(3), ScriptedServer.Authentication(3));
    }

    [Fact]
    public async Task SilenceEndsWithTheTimeout()
    {
        Stopwatch waited = Stopwatch.StartNew();
        await RefusedAsync("ServerConnectionFailed", "within 2 s");
        Assert.InRange(waited.Elapsed.TotalSeconds, 1.9, 20);
    }

    [Fact]
    public async Task ACancelledLoginEndsAtOnce()
    {
        await using ScriptedServer server = new();
        using var stop = new CancellationTokenSource(100);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ReplicationConnection.OpenAsync(server.Settings, cancellationToken: stop.Token));
    }

    private static async Task RefusedAsync(string id, string says, params byte[][] answers)
    {
        await using ScriptedServer server = new(answers);
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => ReplicationConnection.OpenAsync(server.Settings));
        Assert.True(error.Id == id, $"{error.Id}: {error.Message}");
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("pencil", error.ToString(), StringComparison.Ordinal);
    }
}
