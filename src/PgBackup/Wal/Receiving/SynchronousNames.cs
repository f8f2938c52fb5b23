using System.Text.RegularExpressions;

namespace PgBackup.Wal.Receiving;

/// <summary>Reads synchronous_standby_names (PostgreSQL documentation, "Replication", the setting of that name).</summary>
internal static partial class SynchronousNames
{
    /// <summary>Whether the setting may mean a standby of that name: commits may then wait for it, now or when another one goes.</summary>
    public static bool Mention(string setting, string applicationName)
    {
        foreach (Match match in Name().Matches(setting))
        {
            string name = match.Groups["quoted"].Success ? match.Groups["quoted"].Value.Replace("\"\"", "\"", StringComparison.Ordinal) : match.Value;
            if (match.Value == "*" || name.Equals(applicationName, StringComparison.OrdinalIgnoreCase))
                return true;
        }
        return false;
    }

    [GeneratedRegex("\"(?<quoted>(?:[^\"]|\"\")*)\"|[^\\s,()\"]+", RegexOptions.CultureInvariant)]
    private static partial Regex Name();
}
