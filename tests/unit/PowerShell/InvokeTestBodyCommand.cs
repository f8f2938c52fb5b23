using System.Management.Automation;
using PgBackup.PowerShell.Pipeline;

namespace PgBackup.Tests.PowerShell;

/// <summary>A cmdlet whose body is the test's.</summary>
[Cmdlet(VerbsLifecycle.Invoke, "TestBody", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
public sealed class InvokeTestBodyCommand : AsyncPgCmdlet
{
    [Parameter(Mandatory = true)]
    public Func<IPipeline, CancellationToken, Task>? Body { get; set; }

    [Parameter]
    public Func<IPipeline, CancellationToken, Task>? End { get; set; }

    [Parameter]
    public Action? Preparation { get; set; }

    [Parameter]
    public Action? Disposal { get; set; }

    [Parameter(ValueFromPipeline = true)]
    public object? InputObject { get; set; }

    [Parameter]
    public TimeSpan? Grace { get; set; }

    protected override TimeSpan StopGrace => Grace ?? base.StopGrace;

    protected override void Prepare() => Preparation?.Invoke();

    protected override Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken) => Body!(pipeline, cancellationToken);

    protected override Task EndAsync(IPipeline pipeline, CancellationToken cancellationToken) => End?.Invoke(pipeline, cancellationToken) ?? Task.CompletedTask;

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        Disposal?.Invoke();
    }
}

/// <summary>Takes one object and stops what comes before it, as Select-Object -First 1 does (the plain host has no Select-Object).</summary>
[Cmdlet(VerbsCommon.Select, "FirstObject")]
public sealed class SelectFirstObjectCommand : PSCmdlet
{
    [Parameter(ValueFromPipeline = true)]
    public object? InputObject { get; set; }

    protected override void ProcessRecord()
    {
        WriteObject(InputObject);
        throw new PipelineStoppedException();
    }
}
