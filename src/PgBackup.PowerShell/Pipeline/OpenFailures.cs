using PgBackup.Errors;

namespace PgBackup.PowerShell.Pipeline;

/// <summary>The failures of a process that nothing has made good yet, each with its exit code.</summary>
internal sealed class OpenFailures
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _codes = new(StringComparer.Ordinal);

    /// <summary>Notes a failure, in place of what was noted of the same subject. Returns the worst code of all that are open.</summary>
    public int Add(string subject, int code)
    {
        lock (_lock)
        {
            _codes[subject] = code;
            return Worst();
        }
    }

    /// <summary>Notes that the subject is well. Returns the worst code of those that stay open, 0 for none; null when nothing was noted of it.</summary>
    public int? Remove(string subject)
    {
        lock (_lock)
            return _codes.Remove(subject) ? Worst() : null;
    }

    // Done in part is the mildest, whatever its number.
    private int Worst()
    {
        int worst = ExitCodes.Success;
        foreach (int code in _codes.Values)
        {
            if (worst == ExitCodes.Success || worst == ExitCodes.Partial || (code != ExitCodes.Partial && code > worst))
                worst = code;
        }
        return worst;
    }
}
