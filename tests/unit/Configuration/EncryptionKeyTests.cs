using FsCheck;
using FsCheck.Fluent;
using PgBackup.Codecs;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Configuration;

public sealed class EncryptionKeyTests : IDisposable
{
    private const string Base64 = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    private const string Hex = "3031323334353637383961626364656630313233343536373839616263646566";
    private const string Words = "correct horse battery staple, twice";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(Base64, KeyTransform.Base64)]
    [InlineData(Hex, KeyTransform.Hex)]
    [InlineData(Words, KeyTransform.None)]
    [InlineData("3031323334353637383961626364656630313233343536373839616263646566a", KeyTransform.None)]
    [InlineData("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYw", KeyTransform.None)]
    public void TheTextOfAGivenKeyTellsHowItIsMeant(string text, KeyTransform transform)
    {
        string path = WriteKey($"  {text}\n");
        foreach (EncryptionKeySource source in new[] { EncryptionKeySource.File(path), EncryptionKeySource.Text(new SecretText(text)) })
        {
            EncryptionKey key = source.Read(static p => p, static _ => null);
            Assert.Equal((transform, EncryptionKey.FromSettings(text, transform).Id), (key.Transform, key.Id));
        }
        // Wal-g's own variables mean what they mean to wal-g.
        Func<string, string?> environment = name => name == "WALG_LIBSODIUM_KEY_PATH" ? path : null;
        Assert.Equal(EncryptionKey.FromSettings(text, KeyTransform.None).Id, EncryptionSettings.Resolve(null, environment)!.Id);
    }

    [Fact]
    public void TheTransformOfTheEnvironmentIsObeyed()
    {
        EncryptionKey key = EncryptionKeySource.Text(new SecretText(Hex)).Read(static p => p, static name => name == "WALG_LIBSODIUM_KEY_TRANSFORM" ? "none" : null);
        Assert.Equal(EncryptionKey.FromSettings(Hex, KeyTransform.None).Id, key.Id);
        Assert.NotEqual(EncryptionKey.FromSettings(Hex, KeyTransform.Hex).Id, key.Id);
    }

    [Fact]
    public void AGivenKeyGoesBeforeTheEnvironments()
    {
        EncryptionKey given = EncryptionKey.FromSettings(Words, KeyTransform.None);
        Assert.Same(given, EncryptionSettings.Resolve(given, static name => name == "WALG_LIBSODIUM_KEY" ? Hex : null));
    }

    [Theory]
    [InlineData(Base64)]
    [InlineData(Hex)]
    [InlineData("correct-horse-battery-staple-twice")]
    public void AKeyThatIsGivenWhereItsFileIsMeantIsNotShown(string text)
    {
        EncryptionKeySource source = EncryptionKeySource.File(text);
        PgBackupException error = Assert.Throws<PgBackupException>(() => source.Read(p => Path.Combine(_folder.Path, p), static _ => null));
        Assert.Equal("EncryptionKeyMalformed", error.Id);
        Assert.DoesNotContain(text, $"{error}{error.Hint}{error.ErrorTarget}{source}", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "KeyFileUnreadable")]
    [InlineData("too short", "EncryptionKeyMalformed")]
    [InlineData(null, "EncryptionKeyMalformed")]
    public void AFileThatHoldsNoKeyIsRefused(string? content, string id)
    {
        string path = content == "" ? _folder.Combine("nowhere") : WriteKey(content ?? new string('x', 100_000));
        PgBackupException error = Assert.Throws<PgBackupException>(() => EncryptionKeyFile.Read(path, null, "-EncryptionKey"));
        Assert.Equal(id, error.Id);
    }

    [Theory]
    [InlineData(UnixFileMode.UserRead | UnixFileMode.UserWrite, false)]
    [InlineData(UnixFileMode.UserRead | UnixFileMode.GroupRead, true)]
    [InlineData(UnixFileMode.UserRead | UnixFileMode.OtherRead, true)]
    public void AFileThatOthersReadIsToldOf(UnixFileMode mode, bool told)
    {
        string path = WriteKey(Base64);
        File.SetUnixFileMode(path, mode);
        string link = _folder.Combine("link");
        File.CreateSymbolicLink(link, path);
        foreach (string file in new[] { path, link })
        {
            EncryptionKey key = EncryptionKeyFile.Read(file, null, "-EncryptionKey");
            Assert.Equal(told, key.Warning?.Contains("chmod 600", StringComparison.Ordinal) ?? false);
            Assert.DoesNotContain(Base64, $"{key}{key.Warning}", StringComparison.Ordinal);
            Assert.Equal(file, key.FilePath);
        }
    }

    [Fact]
    public void ANewKeyIsWrittenOnceForItsOwnerAlone()
    {
        string path = _folder.Combine("new.key");
        EncryptionKeyInfo made = NewEncryptionKey.Create(path);
        string text = File.ReadAllText(path).Trim();
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.Equal(32, Convert.FromBase64String(text).Length);
        Assert.DoesNotContain(text, $"{made} {string.Join(' ', made.Settings)}", StringComparison.Ordinal);
        EncryptionKey key = EncryptionSettings.Resolve(null, name => made.Settings.GetValueOrDefault(name))!;
        Assert.Equal(made.KeyId, key.Id);
        Assert.Equal(made.KeyId, EncryptionKeySource.File(path).Read(static p => p, static _ => null).Id);
        Assert.Null(key.Warning);

        Assert.Equal("KeyFileExists", Assert.Throws<PgBackupException>(() => NewEncryptionKey.Create(path)).Id);
        Assert.Equal("KeyFileExists", Assert.Throws<PgBackupException>(() => NewEncryptionKey.Create(_folder.Path)).Id);
        Assert.Equal(text, File.ReadAllText(path).Trim());
        Assert.Equal("KeyFileUnwritable", Assert.Throws<PgBackupException>(() => NewEncryptionKey.Create(_folder.Combine("no", "folder"))).Id);
    }

    [Fact]
    public void TwoKeysAreNeverTheSame() =>
        Assert.Equal(1000, Enumerable.Range(0, 1000).Select(_ => NewEncryptionKey.Secret(static text => text)).Distinct().Count());

    [Fact]
    public void AnIdTellsKeysApartAndNothingOfThem() => Check.QuickThrowOnFailure(Prop.ForAll<byte[], byte[]>((a, b) =>
    {
        Array.Resize(ref a, 32);
        Array.Resize(ref b, 32);
        EncryptionKey one = EncryptionKey.FromSettings(Convert.ToBase64String(a), KeyTransform.Base64), other = EncryptionKey.FromSettings(Convert.ToHexString(b), KeyTransform.Hex);
        return one.Id == other.Id == a.AsSpan().SequenceEqual(b) && one.Id.Length == 24 && one.Id == one.Id.ToLowerInvariant();
    }));

    private string WriteKey(string content)
    {
        string path = _folder.Combine($"key-{Guid.NewGuid():N}");
        File.WriteAllText(path, content);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return path;
    }
}
