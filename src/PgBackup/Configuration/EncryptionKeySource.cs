using PgBackup.Codecs;
using PgBackup.Errors;

namespace PgBackup.Configuration;

/// <summary>Where a key is to be taken from, as a caller says it: the path of its file, or its text. It prints without the text.</summary>
public sealed class EncryptionKeySource
{
    private const string Parameter = "-EncryptionKey";

    private readonly string? _path;
    private readonly SecretText? _text;

    private EncryptionKeySource(string? path, SecretText? text) => (_path, _text) = (path, text);

    /// <summary>The file that holds it, as the caller wrote its path.</summary>
    public static EncryptionKeySource File(string path) => new(path, null);

    /// <summary>The text itself.</summary>
    public static EncryptionKeySource Text(SecretText text) => new(null, text);

    /// <summary>
    /// Reads it: as WALG_LIBSODIUM_KEY_TRANSFORM says where it is set, else as <see cref="EncryptionKey.GuessTransform"/> does. Throws <c>KeyFileUnreadable</c>,
    /// <c>EncryptionKeyMalformed</c>, <c>SettingInvalid</c>, and what <paramref name="resolve"/> throws.
    /// </summary>
    /// <param name="resolve">Makes a full path of the caller's.</param>
    public EncryptionKey Read(Func<string, string> resolve) => Read(resolve, Environment.GetEnvironmentVariable);

    /// <summary>That there is a key; neither its text nor its path, which may be the text given in the wrong place.</summary>
    public override string ToString() => "(encryption key)";

    internal EncryptionKey Read(Func<string, string> resolve, Func<string, string?> environment)
    {
        KeyTransform? transform = EncryptionSettings.TransformOf(environment);
        if (_text is not null)
        {
            string text = _text.Reveal();
            return EncryptionKey.FromSettings(text, transform ?? EncryptionKey.GuessTransform(text));
        }
        bool mayBeKey = EncryptionKey.GuessTransform(_path!) != KeyTransform.None || IsBareWord(_path!);
        string path;
        try
        {
            path = resolve(_path!);
        }
        catch (PgBackupException) when (mayBeKey)
        {
            throw NotShown();
        }
        return mayBeKey && !System.IO.File.Exists(path) ? throw NotShown() : EncryptionKeyFile.Read(path, transform, Parameter);
    }

    // Long enough for a key's text, and without a folder.
    private static bool IsBareWord(string path) => path.Length >= 25 && !path.AsSpan().ContainsAny('/', '\\');

    // Who gives the key where its file is meant must not find it in an error, nor in a log of errors.
    private static PgBackupException NotShown() => PgErrors.EncryptionKeyMalformed(
        $"{Parameter} takes the path of a file or a SecureString, and what was given is no file that exists (it is not shown: it may be the key itself)");
}
