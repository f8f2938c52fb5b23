using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace PgBackup.Build;

/// <summary>Where things are in the tree.</summary>
internal static partial class Layout
{
    private const string Marker = "PgBackup.slnx";

    /// <summary>The root of the tree.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Everything that a build makes.</summary>
    public static string Out => Path.Combine(Root, "out");

    /// <summary>A folder for PSModulePath.</summary>
    public static string ModulePath => Path.Combine(Out, "module");

    /// <summary>The staged module.</summary>
    public static string Module => Path.Combine(ModulePath, "PgBackup");

    /// <summary>The small host, staged.</summary>
    public static string HostFolder => Path.Combine(Out, "host");

    /// <summary>The small host's program.</summary>
    public static string Host => Path.Combine(HostFolder, OperatingSystem.IsWindows() ? "pgbackup-host.exe" : "pgbackup-host");

    /// <summary>The name by which packages call this system.</summary>
    public static string Platform { get; } =
        $"{(OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux")}-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}";

    /// <summary>The file name of the native command.</summary>
    public static string NativeCommand => OperatingSystem.IsWindows() ? "pgbackup-wal.exe" : "pgbackup-wal";

    /// <summary>The module's manifest.</summary>
    public static string Manifest => Path.Combine(Root, "PgBackup.psd1");

    /// <summary>The version that the manifest names.</summary>
    public static string Version => ModuleVersion().Match(File.ReadAllText(Manifest)) is { Success: true } match
        ? match.Groups[1].Value
        : throw new BuildException("PgBackup.psd1 names no ModuleVersion.");

    /// <summary>A path below the root.</summary>
    public static string Combine(params ReadOnlySpan<string> parts) => Path.Combine([Root, .. parts]);

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, Marker)))
                return folder.FullName;
        }
        throw new BuildException($"'{Marker}' was not found above '{AppContext.BaseDirectory}'.");
    }

    [GeneratedRegex(@"ModuleVersion\s*=\s*'([^']+)'")]
    private static partial Regex ModuleVersion();
}
