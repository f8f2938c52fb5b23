using System.Globalization;

namespace PgBackup.Platform;

/// <summary>A file's time to the nanosecond, which DateTime (100 ns) cannot hold; wal-g compares it to the digit.</summary>
internal readonly record struct FileTime(long Seconds, int Nanoseconds) : IComparable<FileTime>
{
    public int CompareTo(FileTime other) => (Seconds, Nanoseconds).CompareTo((other.Seconds, other.Nanoseconds));

    /// <summary>A time right beside this one, by a nanosecond; never on a whole second, which is taken for a coarse clock's.</summary>
    public FileTime Beside() => this with { Nanoseconds = Nanoseconds >= 2 ? Nanoseconds - 1 : Nanoseconds + 1 };

    /// <summary>Nanoseconds since 1970; enough until the year 2262.</summary>
    public long ToNanoseconds() => checked((Seconds * 1_000_000_000) + Nanoseconds);

    /// <summary>The moment to which <see cref="ToString"/> led, in any offset; false for anything else.</summary>
    public static bool TryParse(string? text, out FileTime time)
    {
        time = default;
        // DateTimeOffset takes seven digits of the second, Go writes up to nine.
        int point = text?.IndexOf('.', StringComparison.Ordinal) ?? -1;
        int end = point + 1;
        while (point >= 0 && end < text!.Length && char.IsAsciiDigit(text[end]))
            end++;
        string whole = point < 0 ? text ?? "" : string.Concat(text.AsSpan(0, point), text.AsSpan(end));
        int nanoseconds = 0;
        if (!DateTimeOffset.TryParse(whole, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset second)
            || (point >= 0 && (end == point + 1 || end > point + 10 || !int.TryParse(text.AsSpan(point + 1, end - point - 1).ToString().PadRight(9, '0'), CultureInfo.InvariantCulture, out nanoseconds))))
            return false;
        time = new FileTime(second.ToUnixTimeSeconds(), nanoseconds);
        return true;
    }

    /// <summary>The time so many nanoseconds after 1970 began, or before.</summary>
    public static FileTime FromNanoseconds(long value)
    {
        long seconds = Math.DivRem(value, 1_000_000_000, out long rest);
        return rest < 0 ? new FileTime(seconds - 1, (int)rest + 1_000_000_000) : new FileTime(seconds, (int)rest);
    }

    /// <summary>A time that is known to 100 ns.</summary>
    public static FileTime From(DateTimeOffset time)
    {
        long seconds = time.ToUnixTimeSeconds();
        return new FileTime(seconds, (int)((time - DateTimeOffset.UnixEpoch).Ticks - (seconds * TimeSpan.TicksPerSecond)) * 100);
    }

    /// <summary>The same, to 100 ns.</summary>
    public DateTimeOffset ToDateTimeOffset() => DateTimeOffset.FromUnixTimeSeconds(Seconds).AddTicks(Nanoseconds / 100);

    /// <summary>RFC 3339 with as many digits of the second as needed, as Go prints it.</summary>
    public override string ToString()
    {
        string second = DateTimeOffset.FromUnixTimeSeconds(Seconds).UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture);
        return Nanoseconds == 0
            ? second + "Z"
            : second + "." + Nanoseconds.ToString("D9", CultureInfo.InvariantCulture).TrimEnd('0') + "Z";
    }
}
