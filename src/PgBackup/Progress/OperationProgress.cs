namespace PgBackup;

/// <summary>How far an operation is. Reported often; whoever shows it decides how often to show.</summary>
/// <param name="Activity">What is being done: "Backing up base_…".</param>
/// <param name="Phase">The step within it: "Reading files".</param>
/// <param name="Done">Units done (bytes of the source where <paramref name="Unit"/> is bytes).</param>
/// <param name="Total">Units in all; null when unknown.</param>
/// <param name="Unit">What is counted.</param>
public readonly record struct OperationProgress(string Activity, string Phase, long Done, long? Total, ProgressUnit Unit = ProgressUnit.Bytes);

/// <summary>What an <see cref="OperationProgress"/> counts.</summary>
public enum ProgressUnit
{
    /// <summary>Bytes: shown with a rate and the time left.</summary>
    Bytes,

    /// <summary>Things: shown as a count.</summary>
    Items,
}

/// <summary>Progress that nobody watches.</summary>
public sealed class NoProgress : IProgress<OperationProgress>
{
    /// <summary>The one instance.</summary>
    public static readonly NoProgress Instance = new();

    private NoProgress()
    {
    }

    /// <inheritdoc/>
    public void Report(OperationProgress value)
    {
    }
}
