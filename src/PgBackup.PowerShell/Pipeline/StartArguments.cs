namespace PgBackup.PowerShell.Pipeline;

/// <summary>Reads how a PowerShell process was started (about_Pwsh): to run commands and end, or to talk with somebody.</summary>
internal static class StartArguments
{
    // Options that take the next argument along: the name, and the shortest form that PowerShell takes for it.
    private static readonly (string Name, string Shortest)[] s_withValue =
    [
        ("configurationfile", "configurationfile"), ("configurationname", "config"), ("custompipename", "cus"),
        ("encodedarguments", "encodeda"), ("ea", "ea"), ("executionpolicy", "ex"), ("ep", "ep"),
        ("inputformat", "inp"), ("if", "if"), ("outputformat", "o"), ("of", "of"),
        ("settingsfile", "settings"), ("version", "v"), ("windowstyle", "w"),
        ("workingdirectory", "wo"), ("wd", "wd"),
    ];

    /// <summary>True when a script, a command or <c>-NonInteractive</c> was given, and not <c>-NoExit</c>. The first argument is the program.</summary>
    public static bool RunCommandsAndExit(IReadOnlyList<string> arguments)
    {
        bool runsCommands = false;
        for (int i = 1; i < arguments.Count; i++)
        {
            string argument = arguments[i];
            if (argument.Length == 0 || argument[0] is not ('-' or '/') || (argument[0] == '/' && !OperatingSystem.IsWindows()))
                return true; // A script by position: everything behind it is the script's.
            string name = argument.TrimStart('-', '/').ToLowerInvariant();
            if (name.Length == 0)
                return false; // "-": commands come from standard input, as they do from a person.
            if (Is(name, "noexit", "noe"))
                return false;
            if (Is(name, "file", "f") || Is(name, "command", "c") || Is(name, "encodedcommand", "e") || name is "ec" or "commandwithargs" or "cwa")
                return i + 1 >= arguments.Count || arguments[i + 1] != "-";
            if (Is(name, "noninteractive", "noni"))
                runsCommands = true;
            else if (Array.Exists(s_withValue, o => Is(name, o.Name, o.Shortest)))
                i++;
        }
        return runsCommands;
    }

    private static bool Is(string given, string name, string shortest) =>
        given.Length >= shortest.Length && name.StartsWith(given, StringComparison.Ordinal);
}
