using System.ComponentModel;
using System.Diagnostics;
using PgBackup.Errors;

namespace PgBackup.Codecs.Gpg;

/// <summary>Starts gpg. No secret stands on a command line, where every account could read it.</summary>
internal static class GpgProgram
{
    private static readonly TimeSpan s_shortWork = TimeSpan.FromSeconds(30);

    // Ours, but not gpg's, nor its agent's.
    private static readonly string[] s_secrets =
        ["WALG_PGP_KEY", "WALG_PGP_KEY_PASSPHRASE", "WALG_LIBSODIUM_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PGPASSWORD"];

    /// <summary>A process that decrypts its input; where a passphrase is to come, it is the input's first line.</summary>
    public static Process StartDecryption(string? home, bool hasPassphrase)
    {
        // Without a passphrase nobody is asked for one: there may be nobody.
        string[] unlock = hasPassphrase ? ["--pinentry-mode", "loopback", "--passphrase-fd", "0"] : ["--pinentry-mode", "error"];
        return Start("gpg", [.. HomeOption(home), "--batch", "--no-tty", "--status-fd", "2", .. unlock, "--decrypt"]);
    }

    /// <summary>Imports a key. Returns what gpg said when it took none.</summary>
    public static string? Import(string home, ReadOnlySpan<byte> key)
    {
        using Process process = Start("gpg", [.. HomeOption(home), "--batch", "--no-tty", "--status-fd", "2", "--pinentry-mode", "error", "--import"]);
        Task<string> said = process.StandardError.ReadToEndAsync();
        try
        {
            process.StandardInput.BaseStream.Write(key);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has ended; why, it says.
        }
        WaitOrKill(process);
        string text = said.GetAwaiter().GetResult();
        return text.Contains("[GNUPG:] IMPORT_OK", StringComparison.Ordinal) ? null : GpgStatus.Parse(text).Complaint;
    }

    /// <summary>Ends the daemons of a key ring; where that fails they end by themselves when it is gone.</summary>
    public static void EndDaemons(string home)
    {
        try
        {
            using Process process = Start("gpgconf", [.. HomeOption(home), "--kill", "all"]);
            process.StandardInput.Close();
            WaitOrKill(process);
        }
        catch (PgBackupException error) when (error.Id == "GpgMissing")
        {
            // gpg-agent looks after its folder.
        }
    }

    private static string[] HomeOption(string? home) => home is null ? [] : ["--homedir", home];

    private static void WaitOrKill(Process process)
    {
        if (!process.WaitForExit(s_shortWork))
            process.Kill();
    }

    private static Process Start(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetPathRoot(Environment.CurrentDirectory),
        };
        start.Environment["LC_ALL"] = "C";
        foreach (string name in s_secrets)
            start.Environment.Remove(name);
        try
        {
            return Process.Start(start) ?? throw PgErrors.GpgMissing(program, null);
        }
        catch (Exception error) when (error is Win32Exception or FileNotFoundException)
        {
            throw PgErrors.GpgMissing(program, error);
        }
    }
}
