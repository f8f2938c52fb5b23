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
}
