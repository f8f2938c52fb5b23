using System.Security.Cryptography;
using System.Text;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Platform;

namespace PgBackup.Configuration;

/// <summary>Makes keys: 32 random bytes, written as base64.</summary>
public static class NewEncryptionKey
{
    private const int Length = 32;

    /// <summary>A new key as text, handed to whoever keeps it.</summary>
    public static T Secret<T>(Func<string, T> keep) => keep(Convert.ToBase64String(RandomNumberGenerator.GetBytes(Length)));

    /// <summary>
    /// Writes a new key into a new file that its owner alone may read, and returns when it is durable. Throws <c>KeyFileExists</c>, <c>KeyFileUnwritable</c>; nothing that is there is
    /// ever overwritten, and a file that could not be written whole is removed.
    /// </summary>
    /// <param name="path">The file, as a full path.</param>
    public static EncryptionKeyInfo Create(string path)
    {
        byte[] text = Secret(static key => Encoding.ASCII.GetBytes(key + "\n"));
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        bool created = false;
        try
        {
            using (var file = new FileStream(path, options))
            {
                created = true;
                file.Write(text);
                file.Flush(flushToDisk: true);
            }
            Posix.SyncDirectory(Path.GetDirectoryName(path)!);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            if (!created)
                throw System.IO.Path.Exists(path) ? PgErrors.KeyFileExists(path) : PgErrors.KeyFileUnwritable(path, error);
            File.Delete(path);
            throw PgErrors.KeyFileUnwritable(path, error);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(text);
        }
        return new EncryptionKeyInfo { Path = path, KeyId = EncryptionKeyFile.Read(path, KeyTransform.Base64, "Path").Id };
    }
}
