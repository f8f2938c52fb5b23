namespace PgBackup;

/// <summary>How much a line of the log matters.</summary>
public enum LogLevel
{
    /// <summary>Statements, keys, retries; never secrets.</summary>
    Debug,

    /// <summary>Each decision and each group of files.</summary>
    Verbose,

    /// <summary>The start and the end of something, for an audit.</summary>
    Information,

    /// <summary>It worked, but something needs attention.</summary>
    Warning,
}

/// <summary>Where an operation says what it does. Called from any thread.</summary>
public interface IOperationLog
{
    /// <summary>Takes one line; <paramref name="message"/> holds no secret.</summary>
    void Write(LogLevel level, string message);
}

/// <summary>Short forms for <see cref="IOperationLog"/>, and the log that keeps nothing.</summary>
public static class OperationLog
{
    /// <summary>A log that keeps nothing.</summary>
    public static readonly IOperationLog None = new Silent();

    /// <summary>Writes a line that matters only when searching for a fault.</summary>
    public static void Debug(this IOperationLog log, string message) => log.Write(LogLevel.Debug, message);

    /// <summary>Writes a decision.</summary>
    public static void Verbose(this IOperationLog log, string message) => log.Write(LogLevel.Verbose, message);

    /// <summary>Writes a line for the audit.</summary>
    public static void Information(this IOperationLog log, string message) => log.Write(LogLevel.Information, message);

    /// <summary>Writes what needs attention.</summary>
    public static void Warning(this IOperationLog log, string message) => log.Write(LogLevel.Warning, message);

    private sealed class Silent : IOperationLog
    {
        public void Write(LogLevel level, string message)
        {
        }
    }
}
