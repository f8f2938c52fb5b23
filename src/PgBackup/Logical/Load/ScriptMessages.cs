using System.Globalization;
using System.Text.RegularExpressions;

namespace PgBackup.Logical.Load;

/// <summary>Reads what psql writes to its standard error. Statements are never shown: those of a globals script hold passwords. Called from one thread.</summary>
internal sealed partial class ScriptMessages(FailureCollector failures, Func<int, DatabaseObject?> objectAt, bool globals, IOperationLog log)
{
    private string? _message;
    private int _line;

    /// <summary>The last error that is none of the script: the connection broke.</summary>
    public string? Fatal { get; private set; }

    /// <summary>Takes a line.</summary>
    public void Take(string line)
    {
        if (LinePattern().Match(line) is { Success: true } match)
        {
            Complete();
            string level = match.Groups[2].Value, text = match.Groups[3].Value;
            if (level is "ERROR" or "FATAL" or "PANIC" or "error")
                (_message, _line) = (text, int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture));
            else if (level == "WARNING")
                log.Warning(text);
            else if (level is "NOTICE" or "INFO" or "LOG" or "warning")
                log.Verbose($"{level}: {text}");
            else if (globals)
                (_message, _line) = (text, int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture)); // A server of another language (lc_messages): nothing stops at it, so it must be told.
            else
                log.Warning(text);
        }
        else if (line.StartsWith("psql: error: ", StringComparison.Ordinal))
        {
            Complete();
            Fatal = line["psql: error: ".Length..];
        }
        else if (_message is not null && !globals && ServerText.Addition(line) is { } addition)
        {
            _message += $" {addition}";
        }
    }

    /// <summary>What was begun is over; call it at the end.</summary>
    public void Complete()
    {
        if (_message is { } message)
        {
            if (globals && AlreadyThere().Match(message) is { Success: true } match)
                log.Verbose($"The {match.Groups[1].Value} {match.Groups[2].Value} is there already.");
            else
                failures.Add(objectAt(_line), $"{message} (line {_line})");
        }
        _message = null;
    }

    [GeneratedRegex(@"^psql:<stdin>:(\d+): (\p{L}+):\s+(.*)$")]
    private static partial Regex LinePattern();

    [GeneratedRegex(@"^(role|tablespace) ("".+"") already exists$")]
    private static partial Regex AlreadyThere();
}
