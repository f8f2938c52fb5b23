using System.Globalization;

namespace PgBackup.TestServers;

/// <summary>The command line.</summary>
internal sealed record RunOptions(string Kind)
{
    public static string Usage => """
        run ceph-current|ceph-16|swift|s3rver [--bucket NAME] [--memory GIGABYTES] [--delay MILLISECONDS]

        Starts a server, makes the bucket, prints one line of JSON that says where it is, and ends with its server when its input ends or at SIGTERM.
        With --delay there is a proxy before it that delays every request; "delayedEndpoint" is its address.
        """;

    public string? Bucket { get; private init; }

    public int MemoryGigabytes { get; private init; } = new CephOptions().MemoryGigabytes;

    public TimeSpan? Delay { get; private init; }

    public static RunOptions? Parse(string[] arguments)
    {
        if (arguments.Length % 2 != 0 || arguments is not ["run", { } kind, .. string[] rest] || !StoreServers.Kinds.Contains(kind))
            return null;
        RunOptions options = new(kind);
        for (int i = 0; i < rest.Length; i += 2)
        {
            bool isNumber = int.TryParse(rest[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out int number);
            switch (rest[i])
            {
                case "--bucket":
                    options = options with { Bucket = rest[i + 1] };
                    break;
                case "--memory" when isNumber:
                    options = options with { MemoryGigabytes = number };
                    break;
                case "--delay" when isNumber:
                    options = options with { Delay = TimeSpan.FromMilliseconds(number) };
                    break;
                default:
                    return null;
            }
        }
        return options;
    }
}
