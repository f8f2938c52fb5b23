using System.Globalization;

namespace PgBackup.Wal.Command;

/// <summary>Reads the command line.</summary>
internal static class CommandLine
{
    public const string Usage = """
        pgbackup-wal push PATH            archive_command = 'pgbackup-wal push %p'
        pgbackup-wal fetch NAME PATH      restore_command = 'pgbackup-wal fetch %f %p'
        pgbackup-wal check                what push and fetch would do here, and whether they can
        pgbackup-wal --version | --help

        Options, all optional:
          --repository NAME   a name of the configuration file, s3://bucket/prefix, or a folder
          --config FILE       the configuration file
          --key-file FILE     the file of the encryption key
          --key-transform T   how the key is written: none, hex, base64
          --require-key       fail where there is no key
          --not-there CODE    how fetch ends when the file is not there, in place of 1
          --verbose           tell each step on standard error
        Without them the configuration and the environment are those of the PowerShell module
        PgBackup (about_PgBackup_Configuration).
        """;

    private static readonly Dictionary<string, int> s_operands = new(StringComparer.Ordinal) { ["push"] = 1, ["fetch"] = 2, ["prefetch"] = 1, ["check"] = 0 };

    /// <summary>What is asked for; null with a sentence when it is not understood.</summary>
    public static (Invocation? Invocation, string? Fault) Parse(string[] arguments)
    {
        var operands = new List<string>();
        var invocation = new Invocation("", []);
        for (int i = 0; i < arguments.Length; i++)
        {
            string argument = arguments[i];
            if (!argument.StartsWith("--", StringComparison.Ordinal))
            {
                operands.Add(argument);
                continue;
            }
            bool isSwitch = argument is "--require-key" or "--verbose";
            if (!isSwitch && ++i == arguments.Length)
                return (null, $"the option {argument} lacks its value");
            Invocation? next = argument switch
            {
                "--require-key" => invocation with { RequireKey = true },
                "--verbose" => invocation with { IsVerbose = true },
                "--repository" => invocation with { Repository = arguments[i] },
                "--config" => invocation with { ConfigPath = arguments[i] },
                "--key-file" => invocation with { KeyFile = arguments[i] },
                "--not-there" when int.TryParse(arguments[i], NumberStyles.None, CultureInfo.InvariantCulture, out int code) && code is > 0 and < 126 => invocation with { NotThereCode = code },
                "--key-transform" => invocation with { KeyTransform = arguments[i] },
                _ => null,
            };
            if (next is null)
                return (null, $"the option {argument} is not known");
            invocation = next with { Options = [.. next.Options, argument, .. isSwitch ? (string[])[] : [arguments[i]]] };
        }
        if (operands.Count == 0)
            return (null, "a command is missing: push, fetch or check");
        if (!s_operands.TryGetValue(operands[0], out int wanted))
            return (null, $"the command '{operands[0]}' is not known: there are push, fetch and check");
        return operands.Count - 1 == wanted
            ? (invocation with { Verb = operands[0], Operands = operands[1..] }, null)
            : (null, $"{operands[0]} takes {wanted} operand(s) and got {operands.Count - 1}");
    }
}
