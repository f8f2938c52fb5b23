namespace PgBackup.Bench;

/// <summary>What a contestant is measured at.</summary>
internal enum Work
{
    /// <summary>A full backup.</summary>
    Backup,

    /// <summary>The restore of it.</summary>
    Restore,

    /// <summary>A delta after a change in one place.</summary>
    DeltaOfOnePlace,

    /// <summary>A delta after a change everywhere.</summary>
    DeltaOfEverywhere,

    /// <summary>The restore of a full backup and the deltas on it.</summary>
    ChainRestore,
}

/// <summary>What one row of the tables measures.</summary>
/// <param name="Name">The tool, as the table shows it.</param>
/// <param name="Took">Wall time, processor time, peak memory.</param>
internal sealed record Result(string Name, Measurement Took);

/// <summary>A tool that backs a cluster up and brings it back.</summary>
internal abstract class Contestant
{
    /// <summary>What the tool is called in the tables.</summary>
    public abstract string Name { get; }

    /// <summary>The value for archive_command that feeds its archive; null when it has none.</summary>
    public virtual string? ArchiveCommand => null;

    /// <summary>Its version, and how it is run.</summary>
    public abstract Task<string> DescribeAsync(CancellationToken cancellationToken);

    /// <summary>Makes what must be there before the first round.</summary>
    public virtual Task PrepareAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Takes a full backup, or one of what changed since the last; several results when steps are told apart.</summary>
    public abstract Task<IReadOnlyList<Result>> BackUpAsync(bool isFull, CancellationToken cancellationToken);

    /// <summary>Restores the newest backup into an empty folder.</summary>
    public abstract Task<IReadOnlyList<Result>> RestoreAsync(string destination, CancellationToken cancellationToken);

    /// <summary>Reads the newest backup, so that a restore need not wait for a disk.</summary>
    public abstract void WarmNewestBackup(CancellationToken cancellationToken);

    /// <summary>The bytes of the newest backup.</summary>
    public abstract Task<long> StoredBytesAsync(CancellationToken cancellationToken);
}
