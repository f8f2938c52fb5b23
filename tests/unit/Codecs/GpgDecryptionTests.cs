using System.Diagnostics;
using System.Text;
using PgBackup.Codecs.Gpg;
using PgBackup.Errors;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Codecs;

public sealed class GpgDecryptionTests(GpgDecryptionTests.Keys keys) : IClassFixture<GpgDecryptionTests.Keys>
{
    public sealed class Keys : IDisposable
    {
        public PgpKey Open { get; } = PgpKey.Make();

        public PgpKey Locked { get; } = PgpKey.Make("a passphrase, with ünï");

        public void Dispose()
        {
            Open.Dispose();
            Locked.Dispose();
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(8192)]
    [InlineData(3_000_000)]
    public async Task WhatGpgEncryptedIsReadWithAndWithoutAPassphrase(int length)
    {
        byte[] plaintext = CodecSamples.Noise(length);
        foreach (PgpKey key in new[] { keys.Open, keys.Locked })
        {
            byte[] stored = key.Encrypt(plaintext);
            GpgDecryption decryption = Decryption(key);
            Assert.Equal(plaintext, CodecSamples.ReadAll(decryption.Open(new MemoryStream(stored), "x")));
            await using Stream stream = decryption.Open(new MemoryStream(stored), "x");
            using var copy = new MemoryStream();
            await stream.CopyToAsync(copy);
            Assert.Equal(plaintext, copy.ToArray());
            Assert.Equal(0, await stream.ReadAsync(new byte[1]));
        }
    }

    [Fact]
    public void TheKeyMayBeInTheUsersOwnRing()
    {
        byte[] plaintext = CodecSamples.Noise(100_000);
        string? before = Environment.GetEnvironmentVariable("GNUPGHOME");
        try
        {
            foreach (PgpKey key in new[] { keys.Open, keys.Locked })
            {
                Environment.SetEnvironmentVariable("GNUPGHOME", key.Home);
                var settings = new GpgSettings { Source = "WALG_GPG_KEY_ID", Passphrase = key.Passphrase is null ? null : new SecretText(key.Passphrase) };
                Assert.Equal(plaintext, CodecSamples.ReadAll(new GpgDecryption(settings).Open(new MemoryStream(key.Encrypt(plaintext)), "x")));
            }
            Assert.True(Directory.Exists(keys.Locked.Home));
        }
        finally
        {
            Environment.SetEnvironmentVariable("GNUPGHOME", before);
        }
    }

    [Fact]
    public void AnotherKeyOrPassphraseIsAWrongKey()
    {
        byte[] stored = keys.Locked.Encrypt(CodecSamples.Text(50_000));
        foreach (GpgDecryption decryption in new[] { Decryption(keys.Open), Decryption(keys.Locked, "wrong"), Decryption(keys.Locked, null) })
        {
            PgBackupException error = CodecSamples.AssertFails("EncryptionKeyInvalid", () => CodecSamples.ReadAll(decryption.Open(new MemoryStream(stored), "wal_005/x")));
            Assert.Equal(ExitCodes.WrongKey, error.ExitCode);
            Assert.Contains("wal_005/x", error.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(keys.Locked.Passphrase!, error.Message + error.Hint, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void WhatIsNoKeyIsRefused() => CodecSamples.AssertFails(
        "EncryptionKeyMalformed", () => CodecSamples.ReadAll(new GpgDecryption(new GpgSettings { Source = "WALG_PGP_KEY", Key = "no key"u8.ToArray() }).Open(new MemoryStream(), "x")));

    [Fact]
    public void NeitherACutNorAChangeNorPlainBytesPass()
    {
        byte[] stored = keys.Open.Encrypt(CodecSamples.Text(40_000));
        GpgDecryption decryption = Decryption(keys.Open);
        var random = new Random(5);
        for (int round = 0; round < 60; round++)
        {
            byte[] bad = [.. stored];
            if (round < 30)
                bad = bad[..(round < 5 ? stored.Length - 1 - round : random.Next(stored.Length))];
            else
                bad[random.Next(bad.Length)] ^= (byte)(1 << random.Next(8));
            Exception? error = Record.Exception(() => CodecSamples.ReadAll(decryption.Open(new MemoryStream(bad), "x")));
            Assert.Contains(Assert.IsType<PgBackupException>(error).Id, new[] { "ObjectDamaged", "EncryptionKeyInvalid" });
        }
        CodecSamples.AssertFails("ObjectDamaged", () => CodecSamples.ReadAll(decryption.Open(new MemoryStream(CodecSamples.Noise(40_000)), "x")));
    }

    [Fact]
    public void WhatTheStoreCannotGiveIsNotCalledDamaged()
    {
        byte[] stored = keys.Open.Encrypt(CodecSamples.Noise(500_000));
        var broken = new BreakingStream(stored, 200_000);
        CodecSamples.AssertFails("StorageReadFailed", () => CodecSamples.ReadAll(Decryption(keys.Open).Open(broken, "x")));
        Assert.True(broken.IsClosed);
    }

    [Fact]
    public async Task AReaderThatStopsEarlyLeavesNoProcessAndNoKeyRing()
    {
        string[] before = Rings();
        byte[] stored = keys.Locked.Encrypt(CodecSamples.Noise(8_000_000));
        await using (Stream stream = Decryption(keys.Locked).Open(new MemoryStream(stored), "x"))
        {
            await stream.ReadExactlyAsync(new byte[100]);
            string ring = Assert.Single(Rings().Except(before), folder => OwnCommandLines().Any(line => line.Contains(folder, StringComparison.Ordinal)));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(ring));
            Assert.DoesNotContain(OwnCommandLines(), line => line.Contains(keys.Locked.Passphrase!, StringComparison.Ordinal));
        }
        Stopwatch watch = Stopwatch.StartNew();
        while (Rings().Except(before).Any(ring => OwnCommandLines().Any(line => line.Contains(ring, StringComparison.Ordinal)) || Directory.Exists(ring)))
        {
            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(60), "The key ring is still there.");
            await Task.Delay(100);
        }
    }

    [Fact]
    public void WhatAKilledProcessHasLeftIsRemoved()
    {
        string parent = Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();
        string abandoned = Path.Combine(parent, "pgbackup-gpg-abandoned"), used = Path.Combine(parent, "pgbackup-gpg-used"), begun = Path.Combine(parent, "pgbackup-gpg-begun");
        foreach (string folder in new[] { abandoned, used, begun })
            Directory.CreateDirectory(Path.Combine(folder, "private-keys-v1.d"));
        File.WriteAllText(Path.Combine(abandoned, "pgbackup.lock"), "");
        try
        {
            using var held = new FileStream(Path.Combine(used, "pgbackup.lock"), FileMode.CreateNew, FileAccess.Write, FileShare.None);
            CodecSamples.ReadAll(Decryption(keys.Open).Open(new MemoryStream(keys.Open.Encrypt([1])), "x"));
            Assert.False(Directory.Exists(abandoned));
            Assert.True(Directory.Exists(used));
            Assert.True(Directory.Exists(begun));
        }
        finally
        {
            Directory.Delete(used, recursive: true);
            Directory.Delete(begun, recursive: true);
        }
    }

    private static GpgDecryption Decryption(PgpKey key) => Decryption(key, key.Passphrase);

    private static GpgDecryption Decryption(PgpKey key, string? passphrase) => new(new GpgSettings
    {
        Source = "WALG_PGP_KEY",
        Key = Encoding.ASCII.GetBytes(key.Armored),
        Passphrase = passphrase is null ? null : new SecretText(passphrase),
    });

    private static string[] Rings() => Directory.GetDirectories(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), "pgbackup-gpg-*");

    private static List<string> OwnCommandLines()
    {
        var lines = new List<string>();
        foreach (string process in Directory.GetDirectories("/proc").Where(p => char.IsAsciiDigit(Path.GetFileName(p)[0])))
        {
            try
            {
                lines.Add(File.ReadAllText(Path.Combine(process, "cmdline")).Replace('\0', ' '));
            }
            catch (IOException)
            {
                // It has ended.
            }
        }
        return lines;
    }

    private sealed class BreakingStream(byte[] content, int after) : MemoryStream(content)
    {
        public bool IsClosed { get; private set; }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => Position >= after
            ? throw PgErrors.StorageReadFailed("store", "x", new IOException("gone"))
            : await base.ReadAsync(buffer, cancellationToken);

        protected override void Dispose(bool disposing)
        {
            IsClosed = true;
            base.Dispose(disposing);
        }
    }
}
