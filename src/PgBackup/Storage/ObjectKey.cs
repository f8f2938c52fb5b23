using System.Globalization;
using System.Text.RegularExpressions;
using PgBackup.Errors;

namespace PgBackup.Storage;

/// <summary>The rules for names of objects.</summary>
public static partial class ObjectKey
{
    private const string TimeFormat = "yyyyMMdd'T'HHmmss'Z'";

    // "-0a1b2c3d", and that with the time before it.
    private const int HashLength = 9;
    private const int TimeLength = 16 + HashLength;

    /// <summary>Throws <c>ObjectKeyInvalid</c> unless the key is relative, has no empty, '.' or '..' part and no control character.</summary>
    public static void Validate(string key)
    {
        if (!IsValid(key))
            throw PgErrors.ObjectKeyInvalid(key);
    }

    /// <summary>True when the key is relative, has no empty, '.' or '..' part and no control character or backslash.</summary>
    public static bool IsValid(string key)
    {
        if (key.Length == 0)
            return false;
        foreach (Range part in key.AsSpan().Split('/'))
        {
            ReadOnlySpan<char> name = key.AsSpan()[part];
            if (name.IsEmpty || name is "." or "..")
                return false;
            foreach (char c in name)
            {
                if (char.IsControl(c) || c == '\\')
                    return false;
            }
        }
        return true;
    }

    /// <summary>
    /// The suffix of an object in flight, the same as wal-g's from 3.0.9 on, so that neither tool lists the other's unfinished objects:
    /// <c>.tmp.20261123T100000Z-0a1b2c3d</c>.
    /// </summary>
    public static string NewTemporarySuffix() =>
        $".tmp.{DateTime.UtcNow.ToString(TimeFormat, CultureInfo.InvariantCulture)}-{Random.Shared.Next():x8}";

    /// <summary>True for a name with the suffix of an object in flight.</summary>
    public static bool IsTemporary(ReadOnlySpan<char> name) => TemporaryPattern().IsMatch(name);

    /// <summary>When an object in flight was begun, by the clock of its writer; for a name of which <see cref="IsTemporary"/> is true.</summary>
    public static DateTimeOffset TemporarySince(ReadOnlySpan<char> name) =>
        DateTimeOffset.TryParseExact(
            name[^TimeLength..^HashLength], TimeFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out DateTimeOffset time)
            ? time
            : DateTimeOffset.UnixEpoch;

    [GeneratedRegex(@"\.tmp\.[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}\z", RegexOptions.CultureInvariant)]
    private static partial Regex TemporaryPattern();
}
