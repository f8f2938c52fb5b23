using System.Globalization;

namespace PgBackup.Bench;

/// <summary>What the command line asks for.</summary>
internal sealed record BenchOptions
{
    public const string Usage = """
        Bench [--store | --delta | --wal | --loss | --dump] [--rounds N] [--scale N] [--documents MEGABYTES]
          --store       the repositories are in a bucket of a gateway of the benchmark's own; without, in folders
          --delta       backups of what changed, of PostgreSQL 17 (by WAL summaries) and 15 (by reading pages)
          --wal         pushing, fetching and replaying WAL, in folders and in a bucket
          --loss        what kill -9 of the server costs, --rounds times by archiving, streaming and synchronous streaming
          --dump        logical backups of one database, beside pg_dump's own ways
          --rounds      how often every tool does everything (default 3)
          --scale       pgbench's scale; 15 MB each (default 90)
          --documents   the size of the table of text and jsonb (default 700)
        """;

    /// <summary>Whether the repositories are in a bucket.</summary>
    public bool IsStore { get; private init; }

    /// <summary>Whether deltas are measured.</summary>
    public bool IsDelta { get; private init; }

    /// <summary>Whether WAL is measured.</summary>
    public bool IsWal { get; private init; }

    /// <summary>Whether the loss of a server is measured.</summary>
    public bool IsLoss { get; private init; }

    /// <summary>Whether logical backups are measured.</summary>
    public bool IsDump { get; private init; }

    /// <summary>How often every tool does everything.</summary>
    public int Rounds { get; private init; } = 3;

    /// <summary>pgbench's scale: 100,000 accounts, about 15 MB, each.</summary>
    public int Scale { get; private init; } = 90;

    /// <summary>The size of the table of text and jsonb, in MB.</summary>
    public int DocumentMegabytes { get; private init; } = 700;

    /// <summary>The staged module.</summary>
    public required string Module { get; init; }

    /// <summary>The program that runs PowerShell: pwsh or the small host.</summary>
    public required string PowerShell { get; init; }

    /// <summary>Reads the command line; null when it is not understood.</summary>
    public static BenchOptions? Parse(string[] arguments)
    {
        BenchOptions options = new() { Module = "", PowerShell = "" };
        for (int i = 0; i < arguments.Length; i += 2)
        {
            if (arguments[i] is "--store" or "--delta" or "--wal" or "--loss" or "--dump")
            {
                options = options with
                {
                    IsStore = options.IsStore || arguments[i] == "--store", IsDelta = options.IsDelta || arguments[i] == "--delta", IsWal = options.IsWal || arguments[i] == "--wal",
                    IsLoss = options.IsLoss || arguments[i] == "--loss", IsDump = options.IsDump || arguments[i] == "--dump",
                };
                i--;
                continue;
            }
            if (i + 1 == arguments.Length)
                return null;
            string value = arguments[i + 1];
            bool isNumber = int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number > 0;
            BenchOptions? next = arguments[i] switch
            {
                "--rounds" when isNumber => options with { Rounds = number },
                "--scale" when isNumber => options with { Scale = number },
                "--documents" when isNumber => options with { DocumentMegabytes = number },
                "--module" => options with { Module = value },
                "--powershell" => options with { PowerShell = value },
                _ => null,
            };
            if (next is null)
                return null;
            options = next;
        }
        bool isOne = new[] { options.IsStore, options.IsDelta, options.IsWal, options.IsLoss, options.IsDump }.Count(static chosen => chosen) <= 1;
        return isOne && options.Module.Length > 0 && options.PowerShell.Length > 0 ? options : null;
    }
}
