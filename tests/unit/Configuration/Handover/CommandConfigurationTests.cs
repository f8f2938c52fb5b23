using PgBackup.Configuration;
using PgBackup.Configuration.Files;
using PgBackup.Configuration.Handover;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Storage.S3;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Configuration.Handover;

public sealed class CommandConfigurationTests : IDisposable
{
    private static readonly CommandAccount s_other = CommandAccount.Named("nobody")!;

    private readonly TempFolder _folder = new();
    private readonly Dictionary<string, string?> _environment = [];

    public CommandConfigurationTests() => File.SetUnixFileMode(_folder.Path, (UnixFileMode)0b111_101_101);

    private string Target => _folder.Combine("etc/config.yaml");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AFolderWithDefaultsNeedsNoFile()
    {
        CommandConfiguration plan = Plan(new RepositoryArguments { Repository = "/srv/repo" });
        Assert.Equal((null, "/srv/repo", 0), (plan.ConfigPath, plan.Repository, plan.Files.Count));
        string key = Write("key", new string('a', 64), 0b110_100_100);
        _environment["WALG_LIBSODIUM_KEY_PATH"] = key;
        _environment["WALG_LIBSODIUM_KEY_TRANSFORM"] = "hex";
        plan = Plan(new RepositoryArguments { Repository = "/srv/repo" });
        plan.RequireUsable();
        Assert.EndsWith($" -Repository '/srv/repo' -KeyPath '{key}' -KeyTransform 'hex'", EntryCommand.For(new ScriptProgram("/p", "/s"), plan).ArchiveCommand, StringComparison.Ordinal);
        File.SetUnixFileMode(key, (UnixFileMode)0b110_000_000);
        Assert.Equal("CommandFileUnreadable", Assert.Throws<PgBackupException>(Plan(new RepositoryArguments { Repository = "/srv/repo" }).RequireUsable).Id);
    }

    [Fact]
    public void AKeyOfTheEnvironmentIsOnlyRequired()
    {
        _environment["WALG_LIBSODIUM_KEY"] = "canary-canary-canary-canary";
        string command = EntryCommand.For(new ScriptProgram("/p", "/s"), Plan(new RepositoryArguments { Repository = "/srv/repo" })).RestoreCommand;
        Assert.Contains(" -RequireKey ", command, StringComparison.Ordinal);
        Assert.DoesNotContain("canary", command, StringComparison.Ordinal);
        // The same text is another key under another transform.
        _environment["WALG_LIBSODIUM_KEY"] = new string('a', 64);
        _environment["WALG_LIBSODIUM_KEY_TRANSFORM"] = "hex";
        Assert.Contains(" -KeyTransform 'hex'", EntryCommand.For(new ScriptProgram("/p", "/s"), Plan(new RepositoryArguments { Repository = "/srv/repo" })).ArchiveCommand, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsWrittenSaysTheSame()
    {
        foreach ((string name, string value) in new[]
        {
            ("AWS_ENDPOINT", "s3.example.com:9000"), ("AWS_REGION", "eu-central-1"), ("AWS_S3_FORCE_PATH_STYLE", "0"), ("WALG_S3_CA_CERT_FILE", Write("ca.pem", "x", 0b110_100_100)),
            ("WALG_S3_STORAGE_CLASS", "STANDARD_IA"), ("WALG_S3_SSE", "AES256"), ("WALG_S3_SSE_C", "0123456789abcdef0123456789abcdef"), ("S3_RETENTION_PERIOD", "86400"),
            ("S3_RETENTION_MODE", "COMPLIANCE"), ("WALG_S3_MAX_PART_SIZE", "33554432"), ("WALG_S3_MAX_RETRIES", "3"), ("WALG_UPLOAD_CONCURRENCY", "4"),
            ("WALG_COMPRESSION_METHOD", "lz4"), ("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "canary"),
        })
            _environment[name] = value;
        var arguments = new RepositoryArguments { Repository = "s3://bucket/it's%25 1" };
        var given = (S3Settings)Resolve(arguments).Storage;
        CommandConfiguration plan = Plan(arguments);
        plan.RequireUsable();
        plan.Write();
        Assert.Equal((Target, "main"), (plan.ConfigPath, plan.Repository));

        _environment.Clear();
        RepositorySettings read = Resolve(new RepositoryArguments { Repository = "main", ConfigPath = Target });
        var got = (S3Settings)read.Storage;
        Assert.Equal(given with { Credential = null, CustomerKey = null, ProfileName = "default", CredentialsFile = _folder.Combine("etc/credentials") }, got with { CustomerKey = null });
        Assert.Equal(given.CustomerKey!.Reveal(), got.CustomerKey!.Reveal());
        Assert.Equal(PgBackup.Codecs.CompressionMethod.Lz4, read.Compression);
        Assert.DoesNotContain("canary", File.ReadAllText(Target), StringComparison.Ordinal);
        Assert.Contains("aws_secret_access_key = canary", File.ReadAllText(got.CredentialsFile!), StringComparison.Ordinal);
    }

    [Fact]
    public void SecretsBelongToTheServersAccountAndTheRestToRoot()
    {
        Assert.True(Posix.IsRoot, "This test gives files to another account, which needs root.");
        CommandConfiguration plan = Plan(WithCredential());
        plan.Write();
        string credentials = _folder.Combine("etc/credentials");
        Assert.Equal((0u, s_other.User), (Posix.OwnerOf(Target).User, Posix.OwnerOf(credentials).User));
        Assert.Equal(((UnixFileMode)0b110_100_100, (UnixFileMode)0b110_000_000), (File.GetUnixFileMode(Target), File.GetUnixFileMode(credentials)));
        Assert.All(plan.NeededFiles, path => Assert.True(s_other.CanRead(path), path));
        Assert.Empty(Directory.EnumerateFiles(_folder.Combine("etc"), ".*"));
    }

    [Fact]
    public void ASecondTimeThereIsNothingToWriteAndANewKeyReplacesTheOld()
    {
        Plan(WithCredential()).Write();
        Assert.Empty(Plan(WithCredential()).Files);
        CommandConfiguration plan = Plan(WithCredential() with { StorageCredential = new S3Credential("AKIA", new SecretText("other")) });
        plan.RequireUsable();
        Assert.Equal([_folder.Combine("etc/credentials")], plan.Files.Select(file => file.Path));
    }

    [Fact]
    public void WhatAnotherServersCommandsLiveOnIsNeverReplaced()
    {
        Plan(WithCredential()).Write();
        string config = File.ReadAllText(Target), credentials = File.ReadAllText(_folder.Combine("etc/credentials"));
        foreach (RepositoryArguments other in new[] { WithCredential() with { Repository = "s3://other/x" }, WithCredential() with { EndpointUrl = new Uri("https://elsewhere") } })
        {
            CommandConfiguration plan = Plan(other);
            plan.RequireUsable();
            plan.Write();
            Assert.Matches("etc/config-[0-9a-f]{8}[.]yaml$", plan.ConfigPath!);
            var read = (S3Settings)Resolve(new RepositoryArguments { Repository = plan.Repository, ConfigPath = plan.ConfigPath }).Storage;
            Assert.Equal((other.EndpointUrl, Path.ChangeExtension(plan.ConfigPath, "credentials")), (read.EndpointUrl, read.CredentialsFile));
        }
        // A restore of the same repository with another credential.
        RepositoryArguments reader = WithCredential() with { StorageCredential = new S3Credential("AKIB", new SecretText("reader")) };
        CommandConfiguration restore = CommandConfiguration.Plan(Resolve(reader), s_other, _folder.Combine("etc/restore.yaml"));
        restore.RequireUsable();
        restore.Write();
        Assert.Equal((config, credentials), (File.ReadAllText(Target), File.ReadAllText(_folder.Combine("etc/credentials"))));
        Assert.Contains("reader", File.ReadAllText(_folder.Combine("etc/restore.credentials")), StringComparison.Ordinal);
        Assert.NotEqual(CommandConfiguration.RestoreFileName("/srv/a"), CommandConfiguration.RestoreFileName("/srv/b"));
    }

    [Fact]
    public void OtherContentStays()
    {
        Directory.CreateDirectory(_folder.Combine("etc"));
        File.WriteAllText(Target, "repositories: { mine: { location: /x } }");
        File.WriteAllText(_folder.Combine("etc/credentials"), "[default]\naws_access_key_id = mine\n");
        CommandConfiguration plan = Plan(WithCredential());
        plan.RequireUsable();
        plan.Write();
        Assert.Equal(_folder.Combine("etc/config-commands.yaml"), plan.ConfigPath);
        Assert.Contains("mine", File.ReadAllText(Target) + File.ReadAllText(_folder.Combine("etc/credentials")), StringComparison.Ordinal);
        Assert.Equal(_folder.Combine("etc/config.credentials"), ((S3Settings)Resolve(new RepositoryArguments { Repository = "main", ConfigPath = plan.ConfigPath }).Storage).CredentialsFile);
        File.WriteAllText(plan.ConfigPath!, "# somebody's\n");
        File.WriteAllText(Plan(WithCredential()).ConfigPath!, "# somebody's, too\n");
        Assert.Equal("CommandFileInTheWay", Assert.Throws<PgBackupException>(Plan(WithCredential()).RequireUsable).Id);
    }

    [Fact]
    public void AFileThatTheAccountCanReadIsPointedTo()
    {
        string config = Write("own.yaml", "repositories: { orders: { location: s3://bucket/x, credentialsFile: secret } }", 0b110_100_100);
        string secret = Write("secret", "[default]\naws_access_key_id = a\n", 0b110_100_100);
        var arguments = new RepositoryArguments { Repository = "orders", ConfigPath = config };
        CommandConfiguration plan = Plan(arguments);
        plan.RequireUsable();
        Assert.Equal((config, "orders", 0), (plan.ConfigPath, plan.Repository, plan.Files.Count));
        Assert.Contains($" -ConfigPath '{config}' -Repository 'orders'", EntryCommand.For(new ScriptProgram("/p", "/s"), plan).ArchiveCommand, StringComparison.Ordinal);
        // Something that the file does not say must be said in another one.
        Assert.Equal(Target, Plan(arguments with { Region = "eu" }).ConfigPath);
        File.SetUnixFileMode(secret, (UnixFileMode)0b110_000_000);
        Assert.Equal("CommandFileUnreadable", Assert.Throws<PgBackupException>(Plan(arguments).RequireUsable).Id);
    }

    [Fact]
    public void CredentialsThatCannotServeAreRefused()
    {
        var temporary = new S3Credential("a", new SecretText("s"), new SecretText("t"));
        Assert.Equal("TemporaryCredential", Assert.Throws<PgBackupException>(Plan(WithCredential() with { StorageCredential = temporary }).RequireUsable).Id);
        _environment["AWS_SHARED_CREDENTIALS_FILE"] = Write("shared", "[one]\naws_access_key_id = a\n", 0b110_100_100);
        _environment["AWS_PROFILE"] = "one";
        CommandConfiguration plan = Plan(new RepositoryArguments { Repository = "s3://bucket" });
        plan.RequireUsable();
        Assert.Contains("profile: 'one'", plan.Files.Single().Text, StringComparison.Ordinal);
        _environment["AWS_PROFILE"] = "two";
        Assert.Equal("CommandProfileUnusable", Assert.Throws<PgBackupException>(Plan(new RepositoryArguments { Repository = "s3://bucket" }).RequireUsable).Id);
    }

    [Theory]
    [InlineData(0b110_000_000, 0b111_101_101, false)]
    [InlineData(0b110_000_100, 0b111_101_101, true)]
    [InlineData(0b110_000_100, 0b111_101_110, false)]
    [InlineData(0b000_000_100, 0b111_101_001, true)]
    public void BitsOfFileAndFoldersDecideWhatAnAccountCanRead(int file, int folder, bool can)
    {
        string place = _folder.Combine("place");
        Directory.CreateDirectory(place);
        string path = Write("place/file", "x", file);
        File.SetUnixFileMode(place, (UnixFileMode)folder);
        Assert.Equal(can, s_other.CanRead(path));
    }

    private static RepositoryArguments WithCredential() =>
        new() { Repository = "s3://bucket/x", StorageCredential = new S3Credential("AKIA", new SecretText("canary")) };

    private CommandConfiguration Plan(RepositoryArguments arguments) => CommandConfiguration.Plan(Resolve(arguments), s_other, Target);

    private RepositorySettings Resolve(RepositoryArguments arguments) =>
        RepositorySettings.Resolve(arguments with { WorkingFolder = _folder.Path }, name => _environment.GetValueOrDefault(name), _folder.Combine("none"));

    private string Write(string name, string text, int mode)
    {
        string path = _folder.Combine(name);
        File.WriteAllText(path, text);
        File.SetUnixFileMode(path, (UnixFileMode)mode);
        return path;
    }
}
