using System.Text;
using PgBackup.Codecs;
using PgBackup.Codecs.Gpg;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Restore;
using PgBackup.Restore.Planning;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Wal;
using PgBackup.Wal.Fetch;
using PgBackup.Wal.Push;

namespace PgBackup.Tests.Restore;

/// <summary>The objects of a repository that stock wal-g wrote, encrypted anew by gpg: read in every way, written in none.</summary>
public sealed class PgpRepositoryTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly WalgFixture _fixture = WalgFixture.Named("zstd-sodium");
    private readonly PgpKey _key = PgpKey.Make("opening words");
    private readonly string _path;

    public PgpRepositoryTests()
    {
        _path = _fixture.CopyTo(_folder);
        foreach (string file in Directory.EnumerateFiles(_path, "*", SearchOption.AllDirectories).Where(f => !f.EndsWith(".json", StringComparison.Ordinal)))
        {
            using var plain = new MemoryStream();
            using (Stream stored = ObjectDecryption.With(_fixture.Open().Key!).Open(File.OpenRead(file), file))
                stored.CopyTo(plain);
            File.WriteAllBytes(file, _key.Encrypt(plain.ToArray()));
        }
    }

    public void Dispose()
    {
        _key.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task ABackupIsListedPlannedAndRestored()
    {
        await using RestoreLab lab = RestoreLab.Without(Open(Variables()));
        Assert.Equal(3, (await BackupCatalog.ListAsync(lab.Repository)).Count);
        Assert.NotEmpty(await RecoveryWindowFinder.FindAsync(lab.Repository));
        await lab.DecodeWalAsync();
        RestoreResult result = await lab.RestoreAsync(
            new RestoreOptions { Request = lab.Request(RestoreTarget.AtName("mark")) with { Name = _fixture.Backups[2] }, Start = true });
        Assert.Equal(_fixture.AtRestorePoint, WalgFixture.Normal(await RestoreLab.QueryAsync(result, _fixture.Query)));
        Assert.False(Directory.Exists(Path.Combine(_path, "pgbackup_v1")));
    }

    [Fact]
    public async Task TheKeyMayLieInAFile()
    {
        string file = _folder.Combine("private.asc");
        File.WriteAllText(file, _key.Armored);
        Dictionary<string, string> variables = Variables();
        variables.Remove("WALG_PGP_KEY");
        variables["WALG_PGP_KEY_PATH"] = file;
        await WalFetch.FetchAsync(Open(variables), WalSamples.Segment, _folder.Combine("out"));
        await WalFetch.FetchAsync(_fixture.Open(), WalSamples.Segment, _folder.Combine("expected"));
        Assert.Equal(File.ReadAllBytes(_folder.Combine("expected")), File.ReadAllBytes(_folder.Combine("out")));
        variables["WALG_PGP_KEY_PATH"] = _folder.Combine("nowhere");
        Assert.Equal("KeyFileUnreadable", Assert.Throws<PgBackupException>(() => Open(variables)).Id);
    }

    [Fact]
    public async Task AnotherKeyNoKeyAndALibsodiumKeyAreRefused()
    {
        using PgpKey other = PgpKey.Make();
        Dictionary<string, string> wrongWords = Variables(), sodium = Variables();
        wrongWords["WALG_PGP_KEY_PASSPHRASE"] = "other words";
        sodium.Clear();
        sodium["WALG_LIBSODIUM_KEY"] = "some words that are long enough";
        await RefusedAsync(new() { ["WALG_PGP_KEY"] = other.Armored }, "EncryptionKeyInvalid");
        await RefusedAsync(wrongWords, "EncryptionKeyInvalid");
        await RefusedAsync(sodium, "EncryptionKeyInvalid");
        await RefusedAsync([], "EncryptionKeyRequired");
    }

    [Fact]
    public async Task NothingIsWritten()
    {
        string segment = WalSamples.WriteFile(_folder.Combine("pg_wal"), WalSamples.Segment, WalSamples.SegmentBytes(cluster: _fixture.SystemIdentifier));
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => WalPush.PushAsync(Open(Variables()), segment));
        Assert.Equal("EncryptionNotSupported", error.Id);
        Assert.Contains("can read", error.Message, StringComparison.Ordinal);
        Assert.Contains("cannot write", error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(_path, "pgbackup_v1")));
    }

    [Fact]
    public async Task ACutSegmentIsDamagedAndNoWrongKey()
    {
        string segment = Path.Combine(_path, "wal_005", WalSamples.Segment + ".zst");
        byte[] good = File.ReadAllBytes(segment);
        foreach (int kept in new[] { good.Length - 1, good.Length - 30, good.Length / 2 })
        {
            File.WriteAllBytes(segment, good[..kept]);
            PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => WalFetch.FetchAsync(Open(Variables()), WalSamples.Segment, _folder.Combine("out")));
            Assert.Equal(("ObjectDamaged", 126), (error.Id, RestoreCommand.ExitCodeOf(error, standby: false)));
            Assert.False(File.Exists(_folder.Combine("out")));
        }
    }

    [Fact]
    public void AGivenKeyGoesBeforePgpAndPgpBeforeTheEnvironments()
    {
        Dictionary<string, string> variables = Variables();
        variables["WALG_LIBSODIUM_KEY"] = "some words that are long enough";
        Assert.NotNull(Resolve(variables).Pgp);
        Assert.Null(Resolve(variables, EncryptionKey.FromSettings(new string('1', 64), KeyTransform.Hex)).Pgp);
        GpgSettings pgp = Resolve(variables).Pgp!;
        Assert.Equal(_key.Armored, Encoding.UTF8.GetString(pgp.Key!.Value.Span));
        Assert.DoesNotContain(Resolve(variables).Values, v => v.Value?.Contains("opening", StringComparison.Ordinal) == true);
        Assert.Equal("WALG_PGP_KEY", pgp.ToString());
        Assert.Null(Resolve(new() { ["WALE_GPG_KEY_ID"] = "ABCD" }).Pgp!.Key);
        Assert.Equal("EncryptionNotSupported", Assert.Throws<PgBackupException>(() => Resolve(new() { ["WALG_CSE_KMS_ID"] = "x" })).Id);
    }

    private Dictionary<string, string> Variables() => new()
    {
        ["WALG_PGP_KEY"] = _key.Armored.Replace("\n", "\\n", StringComparison.Ordinal),
        ["WALG_PGP_KEY_PASSPHRASE"] = "opening words",
    };

    private RepositorySettings Resolve(Dictionary<string, string> variables, EncryptionKey? given = null) =>
        RepositorySettings.Resolve(new RepositoryArguments { Repository = _path, EncryptionKey = given, WorkingFolder = _folder.Path }, name => variables.GetValueOrDefault(name), _folder.Path);

    private BackupRepository Open(Dictionary<string, string> variables) => BackupRepository.Open(Resolve(variables));

    private async Task RefusedAsync(Dictionary<string, string> variables, string id)
    {
        BackupRepository repository = Open(variables);
        foreach (Func<Task> action in new Func<Task>[]
        {
            () => RepositoryEncryption.ProveAsync(repository),
            () => RestorePlanner.PlanAsync(repository, new RestoreRequest { Target = RestoreTarget.Latest, RestoreCommand = "false" }),
            () => WalFetch.FetchAsync(repository, WalSamples.Segment, _folder.Combine("out")),
        })
        {
            PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(action);
            Assert.Equal((id, ExitCodes.WrongKey), (error.Id, error.ExitCode));
        }
    }
}
