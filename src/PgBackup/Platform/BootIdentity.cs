namespace PgBackup.Platform;

/// <summary>Tells one run of the operating system from the next.</summary>
internal static class BootIdentity
{
    private const string LinuxFile = "/proc/sys/kernel/random/boot_id";

    /// <summary>The same until the next start of the system (random(4)); null where the system does not tell.</summary>
    public static string? Current()
    {
        try
        {
            return File.Exists(LinuxFile) ? File.ReadAllText(LinuxFile).Trim() : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null; // As on a system that has no such file.
        }
    }
}
