using System.IO.Hashing;
using System.Text;

namespace PgBackup.Repository;

/// <summary>The names of tar members as paths within the data directory.</summary>
internal static class MemberPath
{
    /// <summary>
    /// The normal form of a tar member's name, relative to the data directory; null when it leads out of it. The data directory itself is empty.
    /// </summary>
    public static string? Normalize(string member)
    {
        string relative = member.TrimEnd('/');
        if (relative.StartsWith("./", StringComparison.Ordinal))
            relative = relative[2..];
        if (relative.StartsWith('/'))
            relative = relative[1..];
        if (relative is "" or ".")
            return "";
        foreach (Range part in relative.AsSpan().Split('/'))
        {
            ReadOnlySpan<char> name = relative.AsSpan()[part];
            if (name.IsEmpty || name is "." or ".." || name.Contains('\0') || (OperatingSystem.IsWindows() && name.ContainsAny('\\', ':')))
                return null;
        }
        return relative;
    }

    /// <summary>A name of any length in 16 bytes: what is kept of a name where a million of them are.</summary>
    public static UInt128 HashOf(string member)
    {
        Span<byte> utf8 = stackalloc byte[512];
        return Encoding.UTF8.TryGetBytes(member, utf8, out int length)
            ? XxHash128.HashToUInt128(utf8[..length])
            : XxHash128.HashToUInt128(Encoding.UTF8.GetBytes(member));
    }
}
