namespace PgBackup.Tests.Kit;

/// <summary>How a cluster for a test is made. Everything has a default.</summary>
public sealed record PostgresClusterOptions
{
    /// <summary>The installation; that with all tools when not given.</summary>
    public PostgresTools Tools { get; init; } = PostgresTools.Complete;

    /// <summary>Page checksums.</summary>
    public bool DataChecksums { get; init; } = true;

    /// <summary>The size of a WAL segment in MB: a power of two from 1 to 1024.</summary>
    public int WalSegmentMegabytes { get; init; } = 16;

    /// <summary>More arguments for <c>initdb</c>.</summary>
    public IReadOnlyList<string> InitdbArguments { get; init; } = [];

    /// <summary>Settings by name, with values as PostgreSQL reads them without quotes.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>Configuration outside the data directory, in Debian's layout, with an include directory <c>conf.d</c>.</summary>
    public bool SeparateConfiguration { get; init; }

    /// <summary>Whether the server flushes to the disk; off is faster and safe against everything but a crash of the machine.</summary>
    public bool Fsync { get; init; }

    /// <summary>A system identifier of its own; else clusters of the same kind share one.</summary>
    public bool FreshIdentity { get; init; }

    /// <summary>The arguments for <c>initdb</c>, which also name the template that can be copied.</summary>
    internal IReadOnlyList<string> AllInitdbArguments()
    {
        List<string> arguments =
        [
            "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", $"--wal-segsize={WalSegmentMegabytes}",
        ];
        if (DataChecksums)
            arguments.Add("--data-checksums");
        else if (Tools.Major >= 18)
            arguments.Add("--no-data-checksums");
        arguments.AddRange(InitdbArguments);
        return arguments;
    }
}
