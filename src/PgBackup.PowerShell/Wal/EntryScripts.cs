using PgBackup.Errors;

namespace PgBackup.PowerShell.Wal;

/// <summary>Where the module keeps the scripts that PostgreSQL calls.</summary>
internal static class EntryScripts
{
    /// <summary>The folder: <c>scripts</c> beside the folder of this assembly. Throws <c>EntryScriptsMissing</c>.</summary>
    public static string Folder
    {
        get
        {
            string bin = Path.GetDirectoryName(typeof(EntryScripts).Assembly.Location)!;
            string folder = Path.GetFullPath(Path.Combine(bin, "..", "scripts"));
            return Directory.Exists(folder) ? folder : throw PgErrors.EntryScriptsMissing(folder);
        }
    }
}
