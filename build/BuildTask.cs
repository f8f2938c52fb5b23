namespace PgBackup.Build;

/// <summary>Something that <c>./build.sh NAME</c> does.</summary>
internal abstract class BuildTask
{
    /// <summary>The name on the command line.</summary>
    public abstract string Name { get; }

    /// <summary>What it does, in one line.</summary>
    public abstract string Summary { get; }

    /// <summary>False when what it runs is not part of this tree.</summary>
    public virtual bool IsAvailable => true;

    /// <summary>Does it and returns the exit code.</summary>
    public abstract Task<int> RunAsync(string[] arguments);
}

/// <summary>Why a task cannot go on, in words for whoever called it.</summary>
internal sealed class BuildException(string message) : Exception(message);
