using System.Diagnostics;

namespace PgBackup.Tests.Kit;

/// <summary>A throw-away PGP key, made and used by stock gpg.</summary>
public sealed class PgpKey : IDisposable
{
    private readonly TempFolder _folder = new();

    private PgpKey(string? passphrase) => Passphrase = passphrase;

    /// <summary>What locks it; null when nothing does.</summary>
    public string? Passphrase { get; }

    /// <summary>Its key ring, as GNUPGHOME.</summary>
    public string Home => _folder.Combine("ring");

    /// <summary>The private key, armored.</summary>
    public string Armored { get; private set; } = "";

    /// <summary>Makes a key.</summary>
    public static PgpKey Make(string? passphrase = null)
    {
        var key = new PgpKey(passphrase);
        Directory.CreateDirectory(key.Home, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        key.Run(null, "--passphrase", passphrase ?? "", "--quick-generate-key", "backup@example.org", "rsa2048", "encrypt,sign", "never");
        key.Armored = System.Text.Encoding.ASCII.GetString(key.Run(null, "--passphrase", passphrase ?? "", "--armor", "--export-secret-keys"));
        return key;
    }

    /// <summary>Encrypts as wal-g's library does: binary, one literal packet, not compressed.</summary>
    public byte[] Encrypt(byte[] plaintext) => Run(plaintext, "--trust-model", "always", "--compress-algo", "none", "--recipient", "backup@example.org", "--encrypt");

    /// <inheritdoc/>
    public void Dispose()
    {
        using (Process process = Start("gpgconf", "--homedir", Home, "--kill", "all"))
            process.WaitForExit();
        _folder.Dispose();
    }

    private byte[] Run(byte[]? input, params string[] arguments)
    {
        using Process process = Start("gpg", ["--homedir", Home, "--batch", "--quiet", "--pinentry-mode", "loopback", .. arguments]);
        Task<string> said = process.StandardError.ReadToEndAsync();
        Task writing = Task.Run(() =>
        {
            process.StandardInput.BaseStream.Write(input ?? []);
            process.StandardInput.Close();
        });
        using var output = new MemoryStream();
        process.StandardOutput.BaseStream.CopyTo(output);
        process.WaitForExit();
        writing.GetAwaiter().GetResult();
        return process.ExitCode == 0 ? output.ToArray() : throw new InvalidOperationException(said.Result);
    }

    private static Process Start(string program, params string[] arguments) => Process.Start(new ProcessStartInfo(program, arguments)
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!;
}
