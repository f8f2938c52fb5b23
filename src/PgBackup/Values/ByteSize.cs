using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.RegularExpressions;

namespace PgBackup;

/// <summary>A number of bytes that prints for people (binary units, as PostgreSQL counts) and compares as a number.</summary>
public readonly partial record struct ByteSize(long Bytes) : IComparable<ByteSize>, IComparable, IFormattable
{
    private static readonly string[] s_units = ["B", "kB", "MB", "GB", "TB", "PB"];

    /// <inheritdoc/>
    public int CompareTo(ByteSize other) => Bytes.CompareTo(other.Bytes);

    /// <inheritdoc/>
    public int CompareTo(object? obj) => obj switch
    {
        null => 1,
        ByteSize other => CompareTo(other),
        string text => CompareTo(Parse(text)),
        IConvertible number => ((double)Bytes).CompareTo(number.ToDouble(CultureInfo.InvariantCulture)),
        _ => throw new ArgumentException($"Cannot compare a size with '{obj}'.", nameof(obj)),
    };

    /// <summary>Three significant digits and a unit: <c>1.46 GB</c>. 1 kB is 1024 bytes, as in PostgreSQL.</summary>
    public override string ToString() => ToString(null, null);

    /// <inheritdoc/>
    public string ToString(string? format, IFormatProvider? formatProvider)
    {
        if (format is not null)
            return Bytes.ToString(format, formatProvider);
        double value = Bytes;
        int unit = 0;
        while (Math.Abs(value) >= 999.5 && unit < s_units.Length - 1)
        {
            value /= 1024;
            unit++;
        }
        string digits = unit == 0 ? "0" : Math.Abs(value) >= 99.95 ? "0" : Math.Abs(value) >= 9.995 ? "0.0" : "0.00";
        return $"{value.ToString(digits, CultureInfo.InvariantCulture)} {s_units[unit]}";
    }

    /// <summary>Reads <c>8MB</c>, <c>1 GiB</c>, <c>64k</c> or a plain number of bytes; throws <see cref="FormatException"/> otherwise.</summary>
    public static ByteSize Parse(string text) =>
        TryParse(text, out ByteSize size)
            ? size
            : throw new FormatException($"'{text}' is not a size; write for example 8388608, 8MB or 1GB.");

    /// <summary>Reads <c>8MB</c>, <c>1 GiB</c>, <c>64k</c> or a plain number of bytes. Units are binary, as in PostgreSQL and PowerShell.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out ByteSize size)
    {
        size = default;
        Match match = Pattern().Match(text ?? "");
        if (!match.Success || !decimal.TryParse(match.Groups[1].ValueSpan, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number))
            return false;
        int power = match.Groups[2].Value.ToUpperInvariant() switch { "K" => 1, "M" => 2, "G" => 3, "T" => 4, "P" => 5, _ => 0 };
        for (int i = 0; i < power; i++)
        {
            if (number > long.MaxValue)
                return false;
            number *= 1024;
        }
        if (number > long.MaxValue)
            return false;
        size = new ByteSize((long)number);
        return true;
    }

    /// <summary>A plain number is a number of bytes.</summary>
    public static implicit operator ByteSize(long bytes) => new(bytes);

    /// <summary>Numerical order.</summary>
    public static bool operator <(ByteSize left, ByteSize right) => left.Bytes < right.Bytes;

    /// <summary>Numerical order.</summary>
    public static bool operator >(ByteSize left, ByteSize right) => left.Bytes > right.Bytes;

    /// <summary>Numerical order.</summary>
    public static bool operator <=(ByteSize left, ByteSize right) => left.Bytes <= right.Bytes;

    /// <summary>Numerical order.</summary>
    public static bool operator >=(ByteSize left, ByteSize right) => left.Bytes >= right.Bytes;

    [GeneratedRegex(@"\A\s*([0-9]+(?:\.[0-9]+)?)\s*(?:([KMGTP])i?)?B?\s*\z", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex Pattern();
}
