using PgBackup.Errors;

namespace PgBackup.Wal.Command;

/// <summary>What goes into the server's log: one line for each thing.</summary>
/// <param name="isVerbose">Whether every step is told.</param>
internal sealed class StandardError(bool isVerbose) : IOperationLog
{
    public void Write(LogLevel level, string message)
    {
        if (level == LogLevel.Warning || isVerbose)
            Line(level == LogLevel.Warning ? $"warning: {message}" : message);
    }

    /// <summary>Tells a failure, with what to do.</summary>
    public static void Tell(Exception error) => Line(error switch
    {
        PgBackupException known => $"{known.Message} {known.Hint}",
        _ => $"{error.GetType().Name}: {error.Message} This is a fault of pgbackup-wal: please report it.",
    });

    /// <summary>Writes one line.</summary>
    public static void Line(string text)
    {
        try
        {
            Console.Error.WriteLine($"pgbackup-wal: {text.ReplaceLineEndings(" ")}");
        }
        catch (IOException)
        {
            // Nobody listens, and there is no other place to tell it; the exit code still says it.
        }
    }
}
