using System.Management.Automation;

namespace PgBackup.PowerShell.Parameters;

/// <summary>As PowerShell's own <c>[Credential()]</c>, which asks for the password of a name that was given as text; but nothing is asked where nothing was given.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class CredentialTransformAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object? Transform(EngineIntrinsics engineIntrinsics, object? inputData) =>
        inputData is null ? null : new CredentialAttribute().Transform(engineIntrinsics, inputData);
}
