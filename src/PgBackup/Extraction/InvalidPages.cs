using System.Text.RegularExpressions;
using PgBackup.Postgres.Files;
using PgBackup.Restore.Fetching;

namespace PgBackup.Extraction;

/// <summary>
/// What a server that was told to ignore invalid pages says of them. Of databases that were left out it must miss some; of the wanted one, and of what all share, none: without the setting it would
/// have stopped there (PostgreSQL source: xlogutils.c, "report_invalid_page").
/// </summary>
internal static partial class InvalidPages
{
    /// <summary>The first complaint in a log that concerns what was restored; null when there is none.</summary>
    public static async Task<string?> FindAsync(string logPath, DatabaseChoice? choice, CancellationToken cancellationToken)
    {
        using var reader = new StreamReader(new FileStream(logPath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        while (await reader.ReadLineAsync(cancellationToken).ConfigureAwait(false) is { } line)
        {
            if (Concerns(line, choice))
                return line[line.IndexOf("page ", StringComparison.Ordinal)..];
        }
        return null;
    }

    /// <summary>Whether a line of the log tells of an invalid page of what was restored.</summary>
    public static bool Concerns(string line, DatabaseChoice? choice)
    {
        Match match = Pattern().Match(line);
        if (!match.Success)
            return false;
        RelationPath relation = RelationPath.Classify(match.Groups["path"].Value);
        // What cannot be read is not passed over.
        return relation.Kind != DataFileKind.Relation || relation.Database == 0 || choice is null || choice.Includes(relation.Database);
    }

    [GeneratedRegex(@"WARNING:  page [0-9]+ of relation (?<path>\S+) (?:does not exist|is uninitialized)", RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}
