namespace PgBackup.Configuration;

/// <summary>How the native command works ahead of the server.</summary>
public sealed record WalSettings
{
    /// <summary>So many files that wait are stored beside the one that the server asks to be archived, unless told.</summary>
    public const int DefaultReadAhead = 32;

    /// <summary>So many segments are fetched before the server asks for them, unless told.</summary>
    public const int DefaultPrefetch = 8;

    /// <summary>How many waiting files one push may store beside its own; 0 for none.</summary>
    public int ReadAhead { get; init; } = DefaultReadAhead;

    /// <summary>How many segments behind the one that was asked for are fetched; 0 for none.</summary>
    public int Prefetch { get; init; } = DefaultPrefetch;

    /// <summary>The folder for what is remembered and fetched ahead, as a full path; null for the account's own.</summary>
    public string? SpoolFolder { get; init; }
}
