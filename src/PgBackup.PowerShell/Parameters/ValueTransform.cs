using System.Management.Automation;

namespace PgBackup.PowerShell.Parameters;

/// <summary>Turns what a user typed into a value of the engine before the parameter is bound; says what is wrong in words of its own.</summary>
public abstract class ValueTransform : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public sealed override object? Transform(EngineIntrinsics engineIntrinsics, object? inputData)
    {
        object? input = inputData is PSObject wrapped ? wrapped.BaseObject : inputData;
        try
        {
            return input is null ? null : Convert(input, inputData!.ToString() ?? "");
        }
        catch (FormatException error)
        {
            throw new ArgumentTransformationMetadataException(error.Message, error);
        }
    }

    /// <summary>Returns the value, or the input when it is for PowerShell to convert. Throws <see cref="FormatException"/>.</summary>
    /// <param name="input">The value.</param>
    /// <param name="typed">What the user typed, where PowerShell kept it: a bare <c>7d</c> arrives as the decimal number 7, <c>90s</c> as a short one.</param>
    protected abstract object Convert(object input, string typed);
}
