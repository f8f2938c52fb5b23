using System.Management.Automation;
using System.Management.Automation.Runspaces;
using PgBackup.Postgres.Server;
using PgBackup.PowerShell.Parameters;
using PgBackup.PowerShell.Pipeline;
using Shell = System.Management.Automation.PowerShell;

namespace PgBackup.Tests.PowerShell;

/// <summary>Gives its parameters back.</summary>
[Cmdlet(VerbsCommon.Get, "TestParameter")]
public sealed class GetTestParameterCommand : PgServerCmdlet
{
    private ServerConnectionSettings? _server;

    [Parameter]
    [LsnTransform]
    public Lsn? TargetLsn { get; set; }

    [Parameter]
    [ByteSizeTransform]
    public ByteSize? RateLimit { get; set; }

    [Parameter]
    [TargetTimeTransform]
    public DateTimeOffset? TargetTime { get; set; }

    [Parameter]
    [DurationTransform]
    public TimeSpan? Timeout { get; set; }

    protected override void Prepare() => _server = ResolveServer();

    protected override Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken) =>
        pipeline.WriteObjectAsync((object?)TargetLsn ?? (object?)RateLimit ?? (object?)TargetTime ?? (object?)Timeout ?? _server!);
}

public sealed class ParameterTests : IDisposable
{
    private readonly Runspace _runspace;

    public ParameterTests()
    {
        InitialSessionState state = InitialSessionState.CreateDefault2();
        state.Commands.Add(new SessionStateCmdletEntry("Get-TestParameter", typeof(GetTestParameterCommand), null));
        _runspace = RunspaceFactory.CreateRunspace(state);
        _runspace.Open();
    }

    public void Dispose() => _runspace.Dispose();

    [Fact]
    public void TextBecomesValues()
    {
        Assert.Equal(new Lsn(0x16_B374D848), Run("-TargetLsn 16/B374D848"));
        Assert.Equal(new ByteSize(8 << 20), Run("-RateLimit 8MB"));
        Assert.Equal(new ByteSize(8 << 20), Run("-RateLimit '8 MiB'"));
        Assert.Equal(new ByteSize(1000), Run("-RateLimit 1e3"));
        Assert.Equal(new DateTimeOffset(2024, 1, 15, 14, 30, 0, TimeSpan.Zero), Run("-TargetTime '2024-01-15 14:30:00 UTC'"));
        Assert.Equal(new DateTimeOffset(2024, 1, 15, 14, 30, 0, TimeSpan.Zero), Run("-TargetTime ([datetime]::new(2024, 1, 15, 14, 30, 0, [DateTimeKind]::Utc))"));
        Assert.Equal(TimeSpan.FromDays(7), Run("-Timeout 7d"));
        Assert.Equal(TimeSpan.FromMinutes(5), Run("-Timeout ([timespan]'00:05:00')"));
    }

    [Theory]
    [InlineData("-TargetLsn 16:B374", "not an LSN")]
    [InlineData("-RateLimit lots", "not a size")]
    [InlineData("-RateLimit (0 - 5)", "not a number of bytes")]
    [InlineData("-TargetTime '01/02/2024'", "can be confused")]
    [InlineData("-TargetTime 5", "not a time")]
    [InlineData("-Timeout 90", "no unit")]
    [InlineData("-SslMode sometimes", "sometimes")]
    public void WhatIsWrongIsSaid(string arguments, string messageHolds)
    {
        ParameterBindingException error = Assert.ThrowsAny<ParameterBindingException>(() => Run(arguments));
        Assert.Contains(messageHolds, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheServerIsWhatTheParametersSay()
    {
        const string Secret = "$c = [pscredential]::new('backup', [Net.NetworkCredential]::new('', 's3cret').SecurePassword); ";
        ServerConnectionSettings server = (ServerConnectionSettings)Run("-Server db1 -Port 5433 -Database app -Credential $c -SslMode verify-full", Secret);
        Assert.Equal(("db1", 5433, "backup", "app", "s3cret", "VerifyFull"), (server.HostName, server.Port, server.UserName, server.Database, server.Password, server.SslMode));
        CmdletInvocationException error = Assert.Throws<CmdletInvocationException>(() => Run("-UserName other -Credential $c", Secret));
        Assert.StartsWith("ConnectionSettingsInvalid,", error.ErrorRecord.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", error.ErrorRecord.ToString(), StringComparison.Ordinal);
    }

    private object Run(string arguments, string before = "")
    {
        using Shell shell = Shell.Create(_runspace);
        return Assert.Single(shell.AddScript($"$ErrorActionPreference = 'Stop'; {before}Get-TestParameter {arguments}").Invoke()).BaseObject;
    }
}
