using System.Text.RegularExpressions;

namespace PgBackup.Wal.Status;

/// <summary>Sees commands that report success whatever becomes of the segment. PostgreSQL removes a segment as soon as the command has ended with 0.</summary>
internal static partial class ArchiveCommandTrap
{
    /// <summary>True for a command that does nothing but succeed: <c>true</c>, <c>/bin/true</c>, <c>:</c>, <c>exit 0</c>, <c>echo %p</c>.</summary>
    public static bool StoresNothing(string command) => Nothing().IsMatch(command);

    /// <summary>True for a command whose end hides a failure: <c>… || true</c>, <c>…; exit 0</c>, <c>… &amp;</c>.</summary>
    public static bool HidesFailures(string command) => Hiding().IsMatch(command);

    /// <summary>True for a command in which neither %p nor %f stands: it cannot know what to archive. A doubled % stands for itself.</summary>
    public static bool NamesNoFile(string command)
    {
        string plain = command.Replace("%%", "", StringComparison.Ordinal);
        return !plain.Contains("%p", StringComparison.Ordinal) && !plain.Contains("%f", StringComparison.Ordinal);
    }

    [GeneratedRegex("""\A\s*['"]?(?:(?:/usr)?(?:/bin/)?(?:true|echo)|:|exit\s+0|cd\s+\.|(?i:rem))['"]?(?:\s[^;&|<>\n]*)?\z""", RegexOptions.CultureInvariant)]
    private static partial Regex Nothing();

    [GeneratedRegex("""(?:(?:\|\||;)\s*(?:(?:/usr)?(?:/bin/)?true|:|exit\s+0)|[^&|>]&)\s*;?\s*\z""", RegexOptions.CultureInvariant)]
    private static partial Regex Hiding();
}
