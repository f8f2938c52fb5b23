using System.Diagnostics;

namespace PgBackup.Tests.Kit;

/// <summary>
/// The one folder that all temporary folders of this process lie in, and its guard: a shell that waits until this process is gone
/// (however it ended), then kills every server with a data directory in there and removes the folder.
/// </summary>
internal static class TestRun
{
    // A server that was killed, and whose data directory is gone, leaves a shared memory segment of a few bytes behind; the kernel has
    // room for 4096. Those of dead servers that nobody is attached to are taken away before and after.
    private const string Guard = """
        sweep() {
            awk 'NR > 1 && $4 < 128 && $7 == 0 { print $2, $5 }' /proc/sysvipc/shm | while read -r segment creator; do
                [ -d "/proc/$creator" ] || ipcrm -m "$segment" 2>/dev/null
            done
        }
        trap '' INT TERM HUP
        sweep
        read -r _
        i=0
        while [ $i -lt 5 ]; do
            pids=$(find "$1" -name postmaster.pid -exec head -n 1 {} \; 2>/dev/null)
            for pid in $pids; do
                case $(tr '\0' ' ' < /proc/$pid/cmdline 2>/dev/null) in
                    *"$1"*) kill -9 $pid $(cat /proc/$pid/task/$pid/children 2>/dev/null) 2>/dev/null ;;
                esac
            done
            rm -rf "$1" 2>/dev/null && [ ! -e "$1" ] && break
            i=$((i + 1))
            sleep 0.2
        done
        sweep
        """;

    private static readonly Lazy<string> s_root = new(Begin);

    /// <summary>The folder; short, because the path of a socket must not be longer than 107 bytes.</summary>
    public static string Root => s_root.Value;

    private static string Begin()
    {
        string root = Directory.CreateTempSubdirectory("pgb-").FullName;
        File.SetUnixFileMode(root, TempFolder.Traversable);
        Process guard = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", Guard, "pgbackup-test-guard", root])
        {
            RedirectStandardInput = true,
            WorkingDirectory = "/",
        }) ?? throw new InvalidOperationException("The guard of the temporary folder did not start.");
        AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        {
            guard.StandardInput.Close();
            guard.WaitForExit(TimeSpan.FromSeconds(5));
        };
        return root;
    }
}
