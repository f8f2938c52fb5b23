using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace PgBackup;

/// <summary>A position in the write-ahead log: a byte address in one endless stream (PostgreSQL: <c>pg_lsn</c>).</summary>
public readonly record struct Lsn(ulong Value) : IComparable<Lsn>, IComparable, ISpanParsable<Lsn>
{
    /// <summary>0/0, which PostgreSQL calls an invalid LSN.</summary>
    public static readonly Lsn Zero;

    /// <summary>True for 0/0.</summary>
    public bool IsZero => Value == 0;

    /// <inheritdoc/>
    public int CompareTo(Lsn other) => Value.CompareTo(other.Value);

    /// <inheritdoc/>
    public int CompareTo(object? obj) => obj switch
    {
        null => 1,
        Lsn other => CompareTo(other),
        string text when TryParse(text, null, out Lsn other) => CompareTo(other),
        _ => throw new ArgumentException($"Cannot compare an LSN with '{obj}'.", nameof(obj)),
    };

    /// <summary>The form that PostgreSQL prints: <c>16/B374D848</c>.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{(uint)(Value >> 32):X}/{(uint)Value:X}");

    /// <summary>Reads <c>16/B374D848</c>; throws <see cref="FormatException"/> for anything else.</summary>
    public static Lsn Parse(string text) => Parse(text, null);

    /// <inheritdoc/>
    public static Lsn Parse(string s, IFormatProvider? provider) => Parse(s.AsSpan(), provider);

    /// <inheritdoc/>
    public static Lsn Parse(ReadOnlySpan<char> s, IFormatProvider? provider) =>
        TryParse(s, provider, out Lsn result)
            ? result
            : throw new FormatException($"'{s}' is not an LSN; write it as PostgreSQL does, for example 16/B374D848.");

    /// <inheritdoc/>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out Lsn result) =>
        TryParse(s.AsSpan(), provider, out result);

    /// <inheritdoc/>
    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out Lsn result)
    {
        result = default;
        s = s.Trim();
        int slash = s.IndexOf('/');
        if (slash is < 1 or > 8 || s.Length - slash - 1 is < 1 or > 8)
            return false;
        if (!uint.TryParse(s[..slash], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint high)
            || !uint.TryParse(s[(slash + 1)..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint low))
            return false;
        result = new Lsn(((ulong)high << 32) | low);
        return true;
    }

    /// <summary>The position <paramref name="bytes"/> further on.</summary>
    public static Lsn operator +(Lsn lsn, ulong bytes) => new(checked(lsn.Value + bytes));

    /// <summary>The position <paramref name="bytes"/> before.</summary>
    public static Lsn operator -(Lsn lsn, ulong bytes) => new(checked(lsn.Value - bytes));

    /// <summary>The number of bytes from <paramref name="right"/> to <paramref name="left"/>.</summary>
    public static long operator -(Lsn left, Lsn right) => checked((long)(left.Value - right.Value));

    /// <summary>Order in the log.</summary>
    public static bool operator <(Lsn left, Lsn right) => left.Value < right.Value;

    /// <summary>Order in the log.</summary>
    public static bool operator >(Lsn left, Lsn right) => left.Value > right.Value;

    /// <summary>Order in the log.</summary>
    public static bool operator <=(Lsn left, Lsn right) => left.Value <= right.Value;

    /// <summary>Order in the log.</summary>
    public static bool operator >=(Lsn left, Lsn right) => left.Value >= right.Value;
}
