using System.Management.Automation;
using PgBackup.Errors;

namespace PgBackup.PowerShell.Wal;

/// <summary>Where the module keeps the scripts that PostgreSQL calls.</summary>
internal static class EntryScripts
{
    /// <summary>
    /// The folder <c>scripts</c> of the module that the cmdlet was imported from (its assembly may have been loaded from another copy before); call it on the
    /// pipeline's thread. Throws <c>EntryScriptsMissing</c>.
    /// </summary>
    public static string FolderFor(PSCmdlet cmdlet)
    {
        string? module = cmdlet.MyInvocation.MyCommand.Module?.ModuleBase;
        string installed = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(EntryScripts).Assembly.Location)!, ".."));
        foreach (string? root in (ReadOnlySpan<string?>)[module, installed])
        {
            if (root is not null && Directory.Exists(Path.Combine(root, "scripts")))
                return Path.Combine(root, "scripts");
        }
        throw PgErrors.EntryScriptsMissing(Path.Combine(module ?? installed, "scripts"));
    }
}
