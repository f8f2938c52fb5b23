using System.Globalization;

namespace PgBackup;

/// <summary>How the restore of a dump ended that was made to prove it.</summary>
public enum DumpVerificationStatus
{
    /// <summary>It restored, and holds what was dumped.</summary>
    Verified,

    /// <summary>What was restored is not what was dumped.</summary>
    Different,

    /// <summary>The proof could not be made; the dump may be good.</summary>
    NotVerified,
}

/// <summary>What was found when a dump was restored into a scratch database and compared with the snapshot that it was taken of.</summary>
public sealed record DumpVerification
{
    /// <summary>How it ended.</summary>
    public required DumpVerificationStatus Status { get; init; }

    /// <summary>The server that it was restored on, as host and port.</summary>
    public required string Server { get; init; }

    /// <summary>How many objects of the schema were compared.</summary>
    public int ObjectCount { get; init; }

    /// <summary>In how many tables rows were counted.</summary>
    public int TableCount { get; init; }

    /// <summary>How many rows those have.</summary>
    public long RowCount { get; init; }

    /// <summary>How many large objects there are; null when the dump holds none by what was asked.</summary>
    public long? LargeObjectCount { get; init; }

    /// <summary>What differs; the first hundred of <see cref="DifferenceCount"/>.</summary>
    public IReadOnlyList<DumpDifference> Differences { get; init; } = [];

    /// <summary>How much differs.</summary>
    public int DifferenceCount { get; init; }

    /// <summary>Why it is not <see cref="DumpVerificationStatus.Verified"/>; null when it is.</summary>
    public string? Problem { get; init; }

    /// <summary>How long it took, from the end of the dump on.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>What stood in the way, when the proof could not be made.</summary>
    internal Errors.PgBackupException? Failure { get; init; }

    /// <summary>The finding in a few words.</summary>
    public override string ToString() => Status == DumpVerificationStatus.Verified
        ? string.Create(CultureInfo.InvariantCulture, $"Verified: {ObjectCount} objects, {RowCount} rows in {TableCount} tables")
        : $"{Status}: {Problem}";
}

/// <summary>Something that a dump did not bring back as it was.</summary>
/// <param name="Object">The object, as its kind and its name.</param>
/// <param name="Problem">What is different of it.</param>
public sealed record DumpDifference(string Object, string Problem)
{
    /// <summary>Both.</summary>
    public override string ToString() => $"{Object}: {Problem}";
}
