using System.Globalization;
using System.Text.RegularExpressions;
using PgBackup.Errors;

namespace PgBackup.Logical.Load;

/// <summary>
/// Reads what pg_restore --verbose writes to its standard error (PostgreSQL's source, pg_backup_archiver.c, warn_or_exit_horribly): which entry failed and why. The commands that failed are left
/// out: they may hold data and passwords. Called from one thread.
/// </summary>
internal sealed partial class RestoreMessages(IReadOnlyDictionary<int, TocEntry> entries, FailureCollector failures, IOperationLog log, Action onItem)
{
    // Jobs write to one output, each message in several pieces: a line may hold pieces of two.
    private const string Torn = "error: could not execute query: ERROR:  ";
    private const string Prefix = "pg_restore: ", EntryPrefix = "from TOC entry ", ErrorPrefix = "error: ", WarningPrefix = "warning: ", IgnoredPrefix = "errors ignored on restore: ";
    private const string QueryFailed = "could not execute query: ", CopyFailed = "COPY failed for table ", CopyEnded = "error returned by PQ", CommandPrefix = "Command was: ";

    private TocEntry? _entry;
    private string? _pending, _command;
    private bool _skipping;

    /// <summary>How many errors pg_restore says it went past, when it came to its end; null when it did not.</summary>
    public int? Ignored { get; private set; }

    /// <summary>The last error that belongs to no object: why it ended.</summary>
    public string? Fatal { get; private set; }

    /// <summary>How many errors were no loss: settings that a newer pg_restore makes and an older server does not know.</summary>
    public int Harmless { get; private set; }

    /// <summary>Takes a line.</summary>
    public void Take(string line)
    {
        int torn = line.LastIndexOf(Torn, StringComparison.Ordinal);
        if (torn >= 0 && torn != Prefix.Length)
        {
            Complete();
            (_entry, _pending) = (null, line[(torn + ErrorPrefix.Length)..]);
            return;
        }
        if (!line.StartsWith(Prefix, StringComparison.Ordinal))
        {
            TakeContinuation(line);
            return;
        }
        ReadOnlySpan<char> text = line.AsSpan(Prefix.Length);
        if (text.StartsWith("detail: ") || text.StartsWith("hint: "))
        {
            Append(text[(text.IndexOf(' ') + 1)..].ToString());
            return;
        }
        Complete();
        if (text.StartsWith(ErrorPrefix))
        {
            _pending = text[ErrorPrefix.Length..].ToString();
        }
        else if (text.StartsWith(EntryPrefix))
        {
            ReadOnlySpan<char> digits = text[EntryPrefix.Length..];
            digits = digits[..Math.Max(0, digits.IndexOf(';'))];
            _entry = int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int id) ? entries.GetValueOrDefault(id) : null;
        }
        else if (text.StartsWith(WarningPrefix))
        {
            ReadOnlySpan<char> warning = text[WarningPrefix.Length..];
            if (warning.StartsWith(IgnoredPrefix))
                Ignored = int.Parse(warning[IgnoredPrefix.Length..], NumberStyles.None, CultureInfo.InvariantCulture);
            else
                log.Warning($"pg_restore: {warning}");
        }
        else if (!text.StartsWith("while "))
        {
            if (text.StartsWith("creating ") || text.StartsWith("processing data") || text.StartsWith("executing "))
                onItem();
            log.Verbose(line);
        }
    }

    /// <summary>What was begun is over; call it at the end.</summary>
    public void Complete()
    {
        if (_pending is { } text)
        {
            bool ofObject = text.StartsWith(QueryFailed, StringComparison.Ordinal) || text.StartsWith(CopyFailed, StringComparison.Ordinal) || text.StartsWith(CopyEnded, StringComparison.Ordinal);
            string message = Message(text);
            if (_command is { } command && UnknownSetting().Match(message) is { Success: true } match && command.StartsWith($"SET {match.Groups[1].Value} = ", StringComparison.Ordinal))
            {
                Harmless++;
                log.Verbose($"The server does not know the setting {match.Groups[1].Value}, which pg_restore makes for a newer one.");
            }
            else if (ofObject)
            {
                failures.Add(_entry?.Object, message);
            }
            else
            {
                Fatal = message;
            }
        }
        (_pending, _command, _skipping) = (null, null, false);
    }

    private void TakeContinuation(string line)
    {
        if (_pending is null || _skipping)
            return;
        if (line.StartsWith(CommandPrefix, StringComparison.Ordinal))
        {
            // Only a setting is looked at; nothing of the command is shown.
            _command = line.Length > CommandPrefix.Length + 4 && line.AsSpan(CommandPrefix.Length).StartsWith("SET ") ? line[CommandPrefix.Length..] : null;
            _skipping = true;
        }
        else if (ServerText.Addition(line) is { } addition)
        {
            Append(addition);
        }
    }

    private void Append(string text)
    {
        if (_pending is not null)
            _pending += $" {text}";
    }

    private static string Message(string text)
    {
        int at = text.IndexOf("ERROR:  ", StringComparison.Ordinal);
        return at >= 0 ? text[(at + 8)..] : text;
    }

    [GeneratedRegex(@"^unrecognized configuration parameter ""([a-z_.]+)""")]
    private static partial Regex UnknownSetting();
}

/// <summary>Lines that follow a message of the server.</summary>
internal static class ServerText
{
    /// <summary>What a line adds to a message that users should see; null for statements and the lines of their contexts.</summary>
    public static string? Addition(string line)
    {
        if (line.StartsWith("DETAIL:  ", StringComparison.Ordinal))
            return $"({line[9..]})";
        if (line.StartsWith("HINT:  ", StringComparison.Ordinal))
            return $"({line[7..]})";
        // "COPY t, line 7, column v: …": the place, without the row.
        if (line.StartsWith("CONTEXT:  COPY ", StringComparison.Ordinal))
            return $"({(line.IndexOf(": ", 10, StringComparison.Ordinal) is > 0 and var end ? line[10..end] : line[10..])})";
        return null;
    }
}

/// <summary>Counts what was not restored, and tells of the first of them.</summary>
internal sealed class FailureCollector(Action<PgBackupException> onFailure)
{
    /// <summary>How many are told one by one; the rest is counted.</summary>
    public const int Told = 100;

    /// <summary>How many there were.</summary>
    public int Count { get; private set; }

    /// <summary>The newest one's text.</summary>
    public string? Last { get; private set; }

    public void Add(DatabaseObject? item, string message)
    {
        Last = item is null ? message : $"{item}: {message}";
        if (++Count <= Told)
            onFailure(PgErrors.ObjectNotRestored(item, message));
    }
}
