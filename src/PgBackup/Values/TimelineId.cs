using System.Globalization;

namespace PgBackup;

/// <summary>A timeline of the cluster's history; 1 or more (PostgreSQL documentation, "Timelines").</summary>
public readonly record struct TimelineId(uint Value) : IComparable<TimelineId>, IComparable
{
    /// <summary>The timeline of a new cluster.</summary>
    public static readonly TimelineId First = new(1);

    /// <inheritdoc/>
    public int CompareTo(TimelineId other) => Value.CompareTo(other.Value);

    /// <inheritdoc/>
    public int CompareTo(object? obj) => obj switch
    {
        null => 1,
        TimelineId other => CompareTo(other),
        IConvertible number => Value.CompareTo(number.ToUInt32(CultureInfo.InvariantCulture)),
        _ => throw new ArgumentException($"Cannot compare a timeline with '{obj}'.", nameof(obj)),
    };

    /// <summary>The decimal number, as <c>recovery_target_timeline</c> takes it.</summary>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);

    /// <summary>Reads a decimal number of 1 or more.</summary>
    public static TimelineId Parse(string text) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint value) && value > 0
            ? new TimelineId(value)
            : throw new FormatException($"'{text}' is not a timeline; write its decimal number, for example 2.");

    /// <summary>The name of the file that tells how this timeline came to be: <c>00000002.history</c>.</summary>
    public string HistoryFileName => string.Create(CultureInfo.InvariantCulture, $"{Value:X8}.history");

    /// <summary>Numerical order.</summary>
    public static bool operator <(TimelineId left, TimelineId right) => left.Value < right.Value;

    /// <summary>Numerical order.</summary>
    public static bool operator >(TimelineId left, TimelineId right) => left.Value > right.Value;

    /// <summary>Numerical order.</summary>
    public static bool operator <=(TimelineId left, TimelineId right) => left.Value <= right.Value;

    /// <summary>Numerical order.</summary>
    public static bool operator >=(TimelineId left, TimelineId right) => left.Value >= right.Value;
}
