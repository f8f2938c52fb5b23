using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Restore.Planning;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Restore;
using PgBackup.Tests.Wal;
using PgBackup.Wal.Fetch;
using PgBackup.Wal.Push;

namespace PgBackup.Tests.Repository;

public sealed class RepositoryEncryptionTests : IDisposable
{
    private const string Next = "000000010000000000000004";

    private readonly TempFolder _folder = new();
    private readonly string _path;

    public RepositoryEncryptionTests() => _path = WalSamples.WriteSegment(_folder.Combine("pg_wal"));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task TheFirstWriterDecidesAndEverybodyLaterIsHeldAgainstIt()
    {
        BackupRepository right = Open('1'), wrong = Open('2'), none = Open(null);
        Assert.False(await RepositoryEncryption.ProveForWritingAsync(right));
        await WalPush.PushAsync(right, _path);
        await RepositoryEncryption.ProveAsync(right);
        Assert.True(await RepositoryEncryption.ProveForWritingAsync(right));

        PgBackupException error = await RefusedAsync(wrong, "EncryptionKeyInvalid");
        Assert.Contains(right.Key!.Id, error.Message, StringComparison.Ordinal);
        Assert.Contains(wrong.Key!.Id, error.Message, StringComparison.Ordinal);
        Assert.Contains("-EncryptionKey", (await RefusedAsync(none, "EncryptionKeyRequired")).Hint, StringComparison.Ordinal);
        Assert.Equal("000000010000000000000003.zst", Assert.Single(WalSamples.Names(right)));
    }

    [Fact]
    public async Task APlainRepositoryTakesNoKey()
    {
        await WalPush.PushAsync(Open(null), _path);
        await RefusedAsync(Open('1'), "RepositoryNotEncrypted");
        // And one of which nothing is recorded is looked at.
        File.Delete(DocumentPath);
        await RefusedAsync(Open('1'), "RepositoryNotEncrypted");
        Assert.False(File.Exists(DocumentPath));
        await WalPush.PushAsync(Open(null), WalSamples.WriteSegment(_folder.Combine("pg_wal"), Next));
        Assert.Equal("none", (await RepositoryEncryption.ReadAsync(Open(null)))!.Method);
    }

    [Theory]
    [InlineData(CompressionMethod.Zstd)]
    [InlineData(CompressionMethod.Lz4)]
    [InlineData(CompressionMethod.Brotli)]
    [InlineData(CompressionMethod.None)]
    public async Task WithoutARecordTheArchiveTellsInEveryCodec(CompressionMethod method)
    {
        foreach (char? key in new char?[] { '1', null })
        {
            BackupRepository right = Open(key) with { Compression = method };
            await WalPush.PushAsync(right, _path);
            File.Delete(DocumentPath);
            await RefusedAsync(Open('2'), key is null ? "RepositoryNotEncrypted" : "EncryptionKeyInvalid");
            if (key is not null)
                await RefusedAsync(Open(null), "EncryptionKeyRequired");
            await RepositoryEncryption.ProveAsync(right);
            Assert.False(await RepositoryEncryption.ProveForWritingAsync(right));
            Directory.Delete(right.Location, recursive: true);
        }
    }

    [Fact]
    public async Task ADamagedObjectIsNotTakenForAWrongKey()
    {
        BackupRepository repository = Open('1');
        await WalPush.PushAsync(repository, _path);
        await WalPush.PushAsync(repository, WalSamples.WriteSegment(_folder.Combine("pg_wal"), Next));
        File.Delete(DocumentPath);
        foreach (string name in WalSamples.Names(repository))
        {
            byte[] good = File.ReadAllBytes(WalSamples.ObjectPath(repository, name));
            byte[] bad = [.. good];
            bad[30] ^= 1;
            File.WriteAllBytes(WalSamples.ObjectPath(repository, name), bad);
            await RepositoryEncryption.ProveAsync(repository);
            File.WriteAllBytes(WalSamples.ObjectPath(repository, name), good);
        }
    }

    [Theory]
    [InlineData("zstd-sodium")]
    [InlineData("lz4")]
    public async Task ARepositoryThatWalGWroteIsKnownFromTheFirstMoment(string codec)
    {
        WalgFixture fixture = WalgFixture.Named(codec);
        BackupRepository right = fixture.Open(fixture.CopyTo(_folder));
        BackupRepository wrong = right with { Key = Key('7') };
        string before = Listing(right);
        await RepositoryEncryption.ProveAsync(right);
        Stopwatch watch = Stopwatch.StartNew();
        string id = right.Key is null ? "RepositoryNotEncrypted" : "EncryptionKeyInvalid";
        await AssertRefusedAsync(id, () => RepositoryEncryption.ProveAsync(wrong));
        await AssertRefusedAsync(id, () => RepositoryEncryption.ProveForWritingAsync(wrong));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(1), $"{watch.Elapsed}");
        if (right.Key is not null)
            await AssertRefusedAsync("EncryptionKeyRequired", () => RepositoryEncryption.ProveAsync(right with { Key = null }));
        Assert.Equal(before, Listing(right));

        Assert.False(await RepositoryEncryption.ProveForWritingAsync(right));
        await RepositoryEncryption.RecordAsync(right);
        Assert.True(await RepositoryEncryption.ProveForWritingAsync(right));
        await AssertRefusedAsync(id, () => RepositoryEncryption.ProveAsync(wrong));
    }

    [Fact]
    public async Task OfMixedObjectsEachKindIsReadButNothingIsAdded()
    {
        await WalPush.PushAsync(Open('1'), _path);
        File.Delete(DocumentPath);
        WalSamples.WriteFile(Path.Combine(_folder.Combine("repo"), "wal_005"), Next, WalSamples.SegmentBytes(Next));
        await RepositoryEncryption.ProveAsync(Open('1'));
        await RepositoryEncryption.ProveAsync(Open(null));
        await AssertRefusedAsync("RepositoryNotEncrypted", () => RepositoryEncryption.ProveForWritingAsync(Open('1')));
        await AssertRefusedAsync("EncryptionKeyRequired", () => RepositoryEncryption.ProveForWritingAsync(Open(null)));
    }

    [Fact]
    public async Task OfManyWritersAtOnceOneKeyIsTheRepositorys()
    {
        var cluster = new ClusterIdentity(1, 15, 16 << 20, DateTimeOffset.UtcNow);
        for (int round = 0; round < 8; round++)
        {
            string folder = _folder.Combine($"race-{round}");
            string?[] accepted = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(async () =>
            {
                var repository = new BackupRepository(new DirectoryStore(folder), i == 0 ? null : Key((char)('0' + i)));
                try
                {
                    await RepositoryAdmission.RequireAsync(repository, cluster, newLineage: false);
                    return repository.Key?.Id ?? "none";
                }
                catch (PgBackupException error) when (error.Id is "EncryptionKeyInvalid" or "EncryptionKeyRequired" or "RepositoryNotEncrypted")
                {
                    return null;
                }
            })));
            string winner = Assert.Single(accepted, a => a is not null)!;
            EncryptionDocument document = (await RepositoryEncryption.ReadAsync(new BackupRepository(new DirectoryStore(folder), null)))!;
            Assert.Equal(winner, document.KeyId ?? document.Method);
        }
    }

    [Fact]
    public async Task NothingIsWrittenBeforeTheKeyIsProven()
    {
        WalgFixture fixture = WalgFixture.Named("zstd-sodium");
        BackupRepository wrong = fixture.Open(fixture.CopyTo(_folder)) with { Key = Key('7') };
        string before = Listing(wrong);
        string segment = WalSamples.WriteFile(_folder.Combine("pg_wal"), Next, WalSamples.SegmentBytes(Next, cluster: fixture.SystemIdentifier));
        await AssertRefusedAsync("EncryptionKeyInvalid", () => WalPush.PushAsync(wrong, segment));
        Assert.Equal(before, Listing(wrong));
    }

    [Fact]
    public async Task AReaderNeedsNoRightToWrite()
    {
        WalgFixture fixture = WalgFixture.Named("zstd-sodium");
        BackupRepository repository = fixture.Open(fixture.CopyTo(_folder));
        string before = Listing(repository);
        Assert.NotEmpty(await RecoveryWindowFinder.FindAsync(repository));
        await WalFetch.FetchAsync(repository, Next, _folder.Combine("out"));
        Assert.Equal(before, Listing(repository));
    }

    [Fact]
    public async Task AWrongKeyNeverEndsARecovery()
    {
        await WalPush.PushAsync(Open('1'), _path);
        foreach (bool recorded in new[] { true, false })
        {
            if (!recorded)
                File.Delete(DocumentPath);
            foreach ((BackupRepository repository, string id) in new[] { (Open('2'), "EncryptionKeyInvalid"), (Open(null), "EncryptionKeyRequired") })
            {
                PgBackupException there = await AssertRefusedAsync(id, () => WalFetch.FetchAsync(repository, WalSamples.Segment, _folder.Combine("out")));
                Assert.Equal((126, 126), (RestoreCommand.ExitCodeOf(there, standby: false), RestoreCommand.ExitCodeOf(there, standby: true)));
                if (!recorded)
                    continue;
                PgBackupException absent = await AssertRefusedAsync(id, () => WalFetch.FetchAsync(repository, Next, _folder.Combine("out")));
                Assert.Equal((126, 126), (RestoreCommand.ExitCodeOf(absent, standby: false), RestoreCommand.ExitCodeOf(absent, standby: true)));
            }
        }
        Assert.False(File.Exists(_folder.Combine("out")));
    }

    [Fact]
    public async Task TheRecordHoldsNoKeyAndNoNameOfASegment()
    {
        EncryptionKey key = Key('a');
        BackupRepository repository = Open('a');
        await RepositoryEncryption.RecordAsync(repository);
        string text = File.ReadAllText(DocumentPath);
        Assert.DoesNotContain(Convert.ToHexString(key.Bytes), text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(Convert.ToBase64String(key.Bytes), text, StringComparison.Ordinal);
        Assert.Matches(new Regex("^[0-9a-f]{4}(-[0-9a-f]{4}){4}$"), key.Id);
        Assert.Contains(key.Id, text, StringComparison.Ordinal);
        Assert.DoesNotMatch(new Regex("[0-9A-F]{24}"), RepositoryEncryption.DocumentKey);
        // Made of its bytes alone.
        Assert.Equal(key.Id, EncryptionKey.FromSettings(Convert.ToBase64String(key.Bytes), KeyTransform.Base64).Id);
    }

    [Theory]
    [InlineData("", "DocumentInvalid")]
    [InlineData("{}", "DocumentInvalid")]
    [InlineData("""{"Version":2,"Method":"none"}""", "EncryptionMethodUnknown")]
    [InlineData("""{"Version":1,"Method":"age"}""", "EncryptionMethodUnknown")]
    [InlineData("""{"Version":1,"Method":"libsodium-secretstream","KeyId":"@","KeyCheck":"AAAA"}""", "DocumentInvalid")]
    [InlineData("""{"Version":1,"Method":"libsodium-secretstream","KeyId":"@","KeyCheck":"?"}""", "DocumentInvalid")]
    [InlineData("""{"Version":1,"Method":"libsodium-secretstream","KeyId":"1234","KeyCheck":null}""", "EncryptionKeyInvalid")]
    public async Task ARecordThatCannotBeTrustedIsNotTrusted(string text, string id)
    {
        BackupRepository repository = Open('1');
        Directory.CreateDirectory(Path.GetDirectoryName(DocumentPath)!);
        File.WriteAllText(DocumentPath, text.Replace("@", repository.Key!.Id, StringComparison.Ordinal), new UTF8Encoding(false));
        await RefusedAsync(repository, id);
    }

    private string DocumentPath => Path.Combine(_folder.Combine("repo"), RepositoryEncryption.DocumentKey);

    private BackupRepository Open(char? digit) => WalSamples.Repository(_folder.Combine("repo"), CompressionMethod.Zstd, digit is null ? null : new string(digit.Value, 64));

    private static EncryptionKey Key(char digit) => EncryptionKey.FromSettings(new string(digit, 64), KeyTransform.Hex);

    private static string Listing(BackupRepository repository) =>
        string.Join('\n', Directory.GetFiles(repository.Location, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal));

    /// <summary>Refused to readers and writers alike.</summary>
    private async Task<PgBackupException> RefusedAsync(BackupRepository repository, string id)
    {
        await AssertRefusedAsync(id, () => RepositoryEncryption.ProveAsync(repository));
        await AssertRefusedAsync(id, () => RecoveryWindowFinder.FindAsync(repository));
        return await AssertRefusedAsync(id, () => WalPush.PushAsync(repository, _path));
    }

    private static async Task<PgBackupException> AssertRefusedAsync(string id, Func<Task> action)
    {
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(action);
        Assert.Equal(id, error.Id);
        if (id != "DocumentInvalid")
            Assert.Equal(ExitCodes.WrongKey, error.ExitCode);
        return error;
    }
}
