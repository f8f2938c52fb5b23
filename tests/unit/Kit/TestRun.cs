using System.Diagnostics;

namespace PgBackup.Tests.Kit;

/// <summary>
/// The one folder that all temporary folders of this process lie in, and its guard: a shell that waits until this process is gone
/// (however it ended), then kills every server with a data directory in there and removes the folder.
/// </summary>
internal static class TestRun
{
    private const string Guard = """
        trap '' INT TERM HUP
        read -r _
        i=0
        while [ $i -lt 5 ]; do
            pids=$(find "$1" -name postmaster.pid -exec head -n 1 {} \; 2>/dev/null)
            for pid in $pids; do
                case $(tr '\0' ' ' < /proc/$pid/cmdline 2>/dev/null) in
                    *"$1"*) kill -9 $pid $(cat /proc/$pid/task/$pid/children 2>/dev/null) 2>/dev/null ;;
                esac
            done
            rm -rf "$1" 2>/dev/null && [ ! -e "$1" ] && exit 0
            i=$((i + 1))
            sleep 0.2
        done
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
