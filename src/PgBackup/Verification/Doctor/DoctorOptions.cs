namespace PgBackup.Verification.Doctor;

/// <summary>What the doctor shall look at.</summary>
public sealed record DoctorOptions
{
    /// <summary>Only these; null for all.</summary>
    public IReadOnlyCollection<RepositoryCheckName>? Only { get; init; }

    /// <summary>Not these.</summary>
    public IReadOnlyCollection<RepositoryCheckName> Except { get; init; } = [];

    /// <summary>Leaves out all that writes.</summary>
    public bool SkipWrite { get; init; }

    /// <summary>How many bytes <see cref="RepositoryCheckName.Throughput"/> sends and reads back.</summary>
    public long ThroughputBytes { get; init; } = 64 << 20;

    /// <summary>How long each direction of it may take.</summary>
    public TimeSpan ThroughputTime { get; init; } = TimeSpan.FromSeconds(10);
}
