using System.Globalization;
using System.Management.Automation.Runspaces;

namespace PgBackup.Host;

/// <summary>
/// A small PowerShell: pwsh's command line for scripts and commands, over System.Management.Automation alone. It has the language, modules,
/// formatting, Get-Help and error records, but not the cmdlets of Microsoft.PowerShell.Utility and Management.
/// COLUMNS sets the width of its tables.
/// </summary>
internal static class Program
{
    private const int DefaultWidth = 120;

    private static int Main(string[] arguments)
    {
        if (HostArguments.Parse(arguments, out string? problem) is not { } parsed)
        {
            Console.Error.WriteLine($"{problem}\nUsage: pgbackup-host [-NoProfile] [-NonInteractive] (-File script arguments... | -Command text)");
            return 64;
        }
        int width = int.TryParse(Environment.GetEnvironmentVariable("COLUMNS"), NumberStyles.None, CultureInfo.InvariantCulture, out int given) && given >= 40 ? given : DefaultWidth;
        SmallHost host = new(width);
        using Runspace runspace = RunspaceFactory.CreateRunspace(host, InitialSessionState.CreateDefault2());
        runspace.Open();
        Runspace.DefaultRunspace = runspace;
        return new CommandRun(host, runspace).Execute(parsed);
    }
}
