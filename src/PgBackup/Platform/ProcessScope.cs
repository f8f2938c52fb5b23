namespace PgBackup.Platform;

/// <summary>Within what a process id means one process: containers and cloned machines share host names, not ids.</summary>
internal static class ProcessScope
{
    /// <summary>This start of this machine, and the namespace of process ids in it; null where the system does not tell.</summary>
    public static string? Current { get; } = Find();

    private static string? Find()
    {
        try
        {
            // proc(5): a random number of each boot; the namespace as "pid:[4026531836]".
            string boot = File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();
            return $"{boot} {new FileInfo("/proc/self/ns/pid").LinkTarget}";
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null; // Not Linux, or a sandbox: then the host name has to do.
        }
    }
}
