using PgBackup.Errors;
using PgBackup.Postgres.Tools;

namespace PgBackup.Logical.Dump;

/// <summary>Makes an error of what pg_dump or pg_dumpall said before it ended.</summary>
internal static class DumpFailure
{
    private const int ShownLines = 6;

    // What the server itself says comes in its own language (lc_messages), what the programs say in English.
    private static readonly string[] s_lost = ["server closed the connection unexpectedly", "terminating connection", "could not receive data from server", "no connection to the server", "SSL SYSCALL error"];
    private static readonly string[] s_login = ["password authentication failed", "no password supplied", "no pg_hba.conf entry"];
    private static readonly string[] s_nothing = ["no matching tables were found", "no matching schemas were found", "no matching table was found", "no matching schema was found"];

    public static PgBackupException From(ClientTool tool, ToolOutcome outcome, DumpOptions options, DumpSession session)
    {
        string reason = Reason(outcome);
        string subject = options.Subject;
        if (Says(s_nothing))
            return PgErrors.NothingToDump(subject, reason);
        if (Says(s_login))
            return PgErrors.DumpLoginRefused(session.Server, subject, reason);
        if (Says(s_lost))
            return PgErrors.DumpConnectionLost(session.Server, subject, reason);
        if (reason.Contains("permission denied", StringComparison.Ordinal))
            return PgErrors.DumpPrivilegeMissing(session.Server, subject, reason);
        return outcome.ExitCode < 128 && !options.SchemaOnly && session.Tables.Unreadable is { Count: > 0 } tables
            ? PgErrors.DumpPrivilegeMissing(session.Server, subject, $"it may not read {string.Join(", ", tables)}. {reason}")
            : PgErrors.DumpFailed(tool.ToString(), subject, reason);

        bool Says(string[] phrases) => Array.Exists(phrases, phrase => reason.Contains(phrase, StringComparison.Ordinal));
    }

    private static string Reason(ToolOutcome outcome)
    {
        IReadOnlyList<string> lines = outcome.Errors;
        int first = 0;
        while (first < lines.Count && !lines[first].Contains("error: ", StringComparison.Ordinal))
            first++;
        IEnumerable<string> told = first < lines.Count ? lines.Skip(first).Take(ShownLines) : outcome.ExitCode > 128 ? [] : lines.TakeLast(ShownLines);
        string text = string.Join(" ", told.Select(line => line.Trim()));
        return text.Length > 0 ? text
            : outcome.ExitCode > 128 ? $"it was ended by signal {outcome.ExitCode - 128}."
            : $"it ended with {outcome.ExitCode} and said nothing.";
    }
}
