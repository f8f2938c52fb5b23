namespace PgBackup.Host;

/// <summary>The part of pwsh's command line that this host understands.</summary>
internal sealed record HostArguments
{
    /// <summary>The script of <c>-File</c>.</summary>
    public string? File { get; private init; }

    /// <summary>The text of <c>-Command</c>.</summary>
    public string? Command { get; private init; }

    /// <summary>What follows the script.</summary>
    public IReadOnlyList<string> ScriptArguments { get; private init; } = [];

    /// <summary>Reads the command line; returns null and says why when it is not understood.</summary>
    public static HostArguments? Parse(string[] arguments, out string? error)
    {
        error = null;
        for (int i = 0; i < arguments.Length; i++)
        {
            string argument = arguments[i].ToLowerInvariant();
            string[] rest = arguments[(i + 1)..];
            switch (argument)
            {
                case "-noprofile" or "-nop" or "-noninteractive" or "-noni" or "-nologo" or "-nol":
                    continue; // There is neither a profile, nor anybody to ask, nor a banner.
                case "-file" or "-f" when rest.Length > 0:
                    return new HostArguments { File = rest[0], ScriptArguments = rest[1..] };
                case "-command" or "-c" when rest.Length > 0:
                    return new HostArguments { Command = string.Join(' ', rest) };
                default:
                    if (argument.StartsWith('-'))
                        error = $"'{arguments[i]}' is not understood, or lacks its value.";
                    else
                        return new HostArguments { File = arguments[i], ScriptArguments = rest };
                    return null;
            }
        }
        error = "Nothing to run.";
        return null;
    }
}
