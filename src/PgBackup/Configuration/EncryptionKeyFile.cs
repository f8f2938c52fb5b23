using PgBackup.Codecs;
using PgBackup.Errors;

namespace PgBackup.Configuration;

/// <summary>Reads files that hold a key: one text, white space around it does not count.</summary>
public static class EncryptionKeyFile
{
    // Far more than any key; a file given by mistake is not read into memory.
    private const int SizeLimit = 64 * 1024;

    /// <summary>
    /// Reads a key. One whose file others may read gets an <see cref="EncryptionKey.Warning"/>. Throws <c>KeyFileUnreadable</c>, <c>EncryptionKeyMalformed</c>.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="transform">How the text becomes the key; null: as <see cref="EncryptionKey.GuessTransform"/> says.</param>
    /// <param name="setting">The setting or parameter that names the file, for errors.</param>
    public static EncryptionKey Read(string path, KeyTransform? transform, string setting)
    {
        string text;
        string? warning;
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > SizeLimit })
                throw PgErrors.EncryptionKeyMalformed("its file is larger than any key");
            text = File.ReadAllText(path);
            warning = WarningFor(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.KeyFileUnreadable(path, setting, error);
        }
        return EncryptionKey.FromSettings(text, transform ?? EncryptionKey.GuessTransform(text), Path.GetFullPath(path), warning);
    }

    private static string? WarningFor(string path)
    {
        const UnixFileMode Others =
            UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        if (OperatingSystem.IsWindows())
            return null;
        // What a link leads to is what is read.
        string file = new FileInfo(path).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? path;
        return (File.GetUnixFileMode(file) & Others) == 0
            ? null
            : $"The key file '{path}' can be read by other accounts than its owner's. Run: chmod 600 '{path}'";
    }
}
