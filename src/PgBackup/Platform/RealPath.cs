namespace PgBackup.Platform;

/// <summary>Paths without links, so that two names of one place are seen to be that.</summary>
internal static class RealPath
{
    // As the kernel's own limit (path_resolution(7)).
    private const int MostLinks = 40;

    /// <summary>The full path with every link in it resolved; parts that do not exist stay as they are named. Throws <see cref="IOException"/> where links lead in a circle.</summary>
    public static string Of(string path)
    {
        var rest = new Stack<string>(Parts(Path.GetFullPath(path)));
        string root = Path.GetPathRoot(Path.GetFullPath(path))!;
        string resolved = root;
        int links = 0;
        while (rest.TryPop(out string? part))
        {
            string next = Path.Combine(resolved, part);
            if (new FileInfo(next).LinkTarget is not { } target)
            {
                resolved = next;
                continue;
            }
            if (++links > MostLinks)
                throw new IOException($"Too many links on the way to '{path}'.");
            string full = Path.GetFullPath(target, resolved);
            resolved = Path.GetPathRoot(full)!;
            foreach (string deeper in Parts(full))
                rest.Push(deeper);
        }
        return resolved;
    }

    /// <summary>True when both lead to the same place.</summary>
    public static bool Same(string a, string b) => string.Equals(Of(a), Of(b), StringComparison.Ordinal);

    /// <summary>True when one is the other, or lies in it.</summary>
    public static bool Overlap(string a, string b)
    {
        string first = WithEnd(Of(a)), second = WithEnd(Of(b));
        return first.StartsWith(second, StringComparison.Ordinal) || second.StartsWith(first, StringComparison.Ordinal);
    }

    private static string WithEnd(string path) => Path.EndsInDirectorySeparator(path) ? path : path + Path.DirectorySeparatorChar;

    // The last first, as they come onto the stack.
    private static IEnumerable<string> Parts(string full) =>
        full[Path.GetPathRoot(full)!.Length..].Split([Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar], StringSplitOptions.RemoveEmptyEntries).Reverse();
}
