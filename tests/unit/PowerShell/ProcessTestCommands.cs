using System.Management.Automation;
using PgBackup.Errors;
using PgBackup.PowerShell.Pipeline;

namespace PgBackup.Tests.PowerShell;

/// <summary>Succeeds, or fails as the catalogue's failure with that exit code does.</summary>
[Cmdlet(VerbsDiagnostic.Test, "WalCommand")]
public sealed class TestWalCommand : WalCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true)]
    public string Segment { get; set; } = "";

    [Parameter]
    public int Fail { get; set; }

    protected override string ExitSubject => Segment;

    protected override Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken) => Fail switch
    {
        0 => pipeline.WriteObjectAsync("done"),
        ExitCodes.RepositoryMissing => throw PgErrors.RepositoryNotFound("/nowhere"),
        ExitCodes.NothingFound => throw PgErrors.ObjectNotFound("/nowhere", Segment),
        _ => throw new InvalidOperationException("unexpected"),
    };
}

/// <summary>Waits for ever; says in files when it has begun and when it has cleaned up.</summary>
[Cmdlet(VerbsLifecycle.Wait, "TestSignal")]
public sealed class WaitTestSignalCommand : AsyncPgCmdlet
{
    [Parameter(Mandatory = true, Position = 0)]
    public string Folder { get; set; } = "";

    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        await File.WriteAllTextAsync(Path.Combine(Folder, "begun"), "", cancellationToken);
        try
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }
        finally
        {
            await Task.Delay(500, CancellationToken.None);
            await File.WriteAllTextAsync(Path.Combine(Folder, "cleaned"), "", CancellationToken.None);
        }
    }
}
