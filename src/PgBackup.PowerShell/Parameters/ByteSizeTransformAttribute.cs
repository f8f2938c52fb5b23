using System.Globalization;

namespace PgBackup.PowerShell.Parameters;

/// <summary>Takes a size as text (<c>8MB</c>, <c>1GiB</c>) or as a number of bytes, which is what PowerShell makes of a bare <c>8MB</c>.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class ByteSizeTransformAttribute : ValueTransform
{
    /// <inheritdoc/>
    protected override object Convert(object input, string typed) => input switch
    {
        string text => ByteSize.Parse(text),
        sbyte or byte or short or ushort or int or uint or long or ulong or decimal or double or float => FromNumber(input),
        _ => input,
    };

    private static object FromNumber(object number)
    {
        double value = System.Convert.ToDouble(number, CultureInfo.InvariantCulture);
        return value is >= 0 and < long.MaxValue
            ? new ByteSize(System.Convert.ToInt64(number, CultureInfo.InvariantCulture))
            : throw new FormatException($"'{number}' is not a number of bytes.");
    }
}
