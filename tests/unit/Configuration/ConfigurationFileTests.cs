using FsCheck;
using FsCheck.Fluent;
using PgBackup.Configuration;
using PgBackup.Configuration.Files;
using PgBackup.Errors;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Configuration;

public sealed class ConfigurationFileTests
{
    private const string Whole = """
        version: 1
        repositories:
          main:
            location: s3://bucket/prefix
            endpointUrl: https://s3.example.com
            region: eu-central-1
            profile: backup
            credentialsFile: credentials
            forcePathStyle: true
            storageClass: STANDARD_IA
            serverSideEncryption: aws:kms
            kmsKeyId: key-1
            retention: { mode: governance, period: 30d }
            caCertificateFile: /etc/ca.pem
            proxyUrl: http://proxy:3128
            partSize: 20MiB
            maxRetries: 15
            concurrentRequests: 4
            compression: zstd
            compressionLevel: 3
            delta: { maxSteps: 6, origin: latest_full }
            wal: { readAhead: 16, prefetch: 4, spool: /var/spool/pgbackup }
            encryption: { keyFile: ~/main.key, keyTransform: base64 }
          local:
            location: ../backups
        servers:
          orders: { host: /var/run/postgresql, port: 5432, user: postgres, database: postgres, sslMode: verify-full, passwordFile: pass, dataDirectory: /data }
        defaults: { repository: main, server: orders }
        """;

    [Fact]
    public void EveryKeyIsReadAndPathsAreRelativeToTheFile()
    {
        ConfigurationFile file = Parse(Whole);
        Assert.Equal(["main", "local"], file.RepositoryNames);
        IReadOnlyDictionary<string, Setting> main = file.Repository("main")!.Settings;
        Assert.Equal(ConfigurationKeys.Repository.Keys.Except(["customerKeyFile"]).Order(), main.Keys.Order());
        Assert.Equal("/etc/pgbackup/credentials", main["credentialsFile"].Text);
        Assert.Equal("/home/me/main.key", main["encryption.keyFile"].Text);
        Assert.Equal("/etc/pgbackup/config.yaml:6", main["region"].Source);
        Assert.Equal("/etc/backups", file.Repository("local")!.Settings["location"].Text);
        Assert.Equal(ConfigurationKeys.Server.Keys.Order(), file.Server("orders")!.Settings.Keys.Order());
        Assert.Equal(("main", "orders"), (file.DefaultRepository!.Text, file.DefaultServer!.Text));
    }

    [Theory]
    [InlineData("")]
    [InlineData("# nothing\n")]
    [InlineData("---\n")]
    [InlineData("repositories:\nservers:\n")]
    public void AFileMaySayNothing(string text) => Assert.Empty(Parse(text).RepositoryNames);

    [Theory]
    [InlineData("repositorys: {}", 1, "Did you mean repositories?")]
    [InlineData("repositories:\n  a:\n    location: /x\n    endpoint: y", 4, "Did you mean endpointUrl?")]
    [InlineData("repositories:\n  a:\n    location: s3://bucket\n    Region: y", 4, "Did you mean region?")]
    [InlineData("repositories:\n  a:\n    location: s3://bucket\n    retention: { perod: 1d }", 4, "Did you mean period?")]
    [InlineData("repositories:\n  a:\n    location: s3://bucket\n    zzz: y", 4, "Known are: location")]
    [InlineData("servers:\n  a: { hots: x }", 2, "Did you mean host?")]
    [InlineData("repositories: { a: { location: /x } }\ndefaults: { repository: b1 }", 2, "")]
    [InlineData("repositories:\n  a:\n    location: /x\n    location: /y", 4, "")]
    [InlineData("repositories:\n  a:\n    region: x", 2, "location")]
    [InlineData("repositories:\n  - a", 1, "")]
    [InlineData("repositories:\n  a:\n    location: [x]", 3, "")]
    [InlineData("repositories:\n  a:\n    location:", 3, "")]
    [InlineData("repositories:\n  a: /x", 2, "")]
    [InlineData("repositories:\n  'a b': { location: /x }", 2, "")]
    [InlineData("version: 2", 1, "")]
    [InlineData("a: b: c", 1, "")]
    [InlineData("x: *nowhere", 1, "")]
    [InlineData("version: 1\n---\nversion: 1", 2, "")]
    [InlineData("just text", 1, "")]
    public void WhatIsWrongIsNamedWithItsLine(string text, int line, string hint)
    {
        PgBackupException error = Assert.Throws<PgBackupException>(() => Parse(text));
        Assert.Equal("ConfigurationInvalid", error.Id);
        Assert.Contains($"line {line},", error.Message, StringComparison.Ordinal);
        Assert.Contains(hint, error.Hint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("repositories:\n  a:\n    location: s3://bucket\n    partSize: 1MB")]
    [InlineData("repositories:\n  a:\n    location: s3://bucket\n    forcePathStyle: yes")]
    [InlineData("repositories:\n  a:\n    location: /x\n    compressionLevel: 99")]
    [InlineData("repositories:\n  a:\n    location: /x\n    region: eu")]
    [InlineData("repositories:\n  a:\n    location: /x\n    encryption: { keyTransform: hex }")]
    public void AWrongValueIsFoundWhateverRepositoryIsUsed(string text)
    {
        PgBackupException error = Assert.Throws<PgBackupException>(() => Parse(text));
        Assert.Equal("SettingInvalid", error.Id);
        Assert.Contains("/etc/pgbackup/config.yaml:4", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("repositories", "password")]
    [InlineData("repositories", "secretKey")]
    [InlineData("repositories", "accessKeySecret")]
    [InlineData("repositories", "secretAccessKey")]
    [InlineData("repositories", "accessKeyId")]
    [InlineData("repositories", "aws_secret_access_key")]
    [InlineData("repositories", "sessionToken")]
    [InlineData("repositories", "key")]
    [InlineData("repositories", "encryptionKey")]
    [InlineData("repositories", "customerKey")]
    [InlineData("servers", "password")]
    [InlineData("servers", "PGPASSWORD")]
    public void ASecretIsRefusedAndNeverRepeated(string section, string name)
    {
        PgBackupException error = Assert.Throws<PgBackupException>(() => Parse($"{section}:\n  a:\n    {name}: canary"));
        Assert.Equal("ConfigurationHoldsSecret", error.Id);
        Assert.DoesNotContain("canary", error.Message + error.Hint, StringComparison.Ordinal);
        Assert.Contains("File", error.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void NestingAndAnchorsStayBounded()
    {
        string deep = string.Concat(Enumerable.Repeat("[", 200_000));
        Assert.Equal("ConfigurationInvalid", Assert.Throws<PgBackupException>(() => Parse(deep)).Id);
        var laughs = new System.Text.StringBuilder("a0: &a0 [x]\n");
        for (int i = 1; i < 60; i++)
            laughs.Append($"a{i}: &a{i} [{string.Join(',', Enumerable.Repeat($"*a{i - 1}", 9))}]\n");
        Assert.Equal("ConfigurationInvalid", Assert.Throws<PgBackupException>(() => Parse(laughs.ToString())).Id);
        Assert.Equal("eu", Parse("repositories:\n  a: &a { location: s3://bucket, region: &r eu }\n  b: { location: s3://other, region: *r }").Repository("b")!.Settings["region"].Text);
        Assert.Equal("ConfigurationInvalid", Assert.Throws<PgBackupException>(() => Parse("a: &a [*a]")).Id);
    }

    [Fact]
    public void AFileThatIsTooLargeIsNotRead()
    {
        using var folder = new TempFolder();
        string path = folder.Combine("c.yaml");
        File.WriteAllText(path, new string('#', (1 << 20) + 1));
        Assert.Equal("ConfigurationInvalid", Assert.Throws<PgBackupException>(() => ConfigurationFile.Load(path, null)).Id);
        Assert.Equal("ConfigurationUnreadable", Assert.Throws<PgBackupException>(() => ConfigurationFile.Load(folder.Path, null)).Id);
        Assert.Empty(ConfigurationFile.Load("/dev/null", null).RepositoryNames);
    }

    [Fact]
    public void AnyTextIsReadOrRefused()
    {
        Prop.ForAll(ArbMap.Default.ArbFor<string>(), (string text) => ReadOrRefused(text ?? "")).QuickCheckThrowOnFailure();
        Gen<string> pieces = Gen.Elements("repositories:", "  a:", "    location: ", "s3://b12", "\n", "{", "}", "[", "]", ": ", "&a ", "*a", "- ", "'", "\"", "|", "!!", "%", "#", "\t", "? ", "<<", "---");
        Prop.ForAll(Gen.ArrayOf(pieces).ToArbitrary(), (string[] parts) => ReadOrRefused(string.Concat(parts))).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void ValuesComeThroughQuotesUnchanged()
    {
        Prop.ForAll(ArbMap.Default.ArbFor<NonEmptyString>(), (NonEmptyString any) =>
        {
            string profile = new([.. any.Get.Where(c => !char.IsControl(c) && !char.IsSurrogate(c) && c is not ('\u2028' or '\u2029' or '\u0085' or '\uFEFF' or '\uFFFE' or '\uFFFF'))]);
            if (profile.Length == 0)
                return true;
            string quoted = profile.Replace("'", "''", StringComparison.Ordinal);
            return Parse($"repositories: {{ a: {{ location: s3://bucket, profile: '{quoted}' }} }}").Repository("a")!.Settings["profile"].Text == profile;
        }).QuickCheckThrowOnFailure();
    }

    private static bool ReadOrRefused(string text)
    {
        try
        {
            Parse(text);
            return true;
        }
        catch (PgBackupException error)
        {
            return error.Hint.Length > 0;
        }
    }

    private static ConfigurationFile Parse(string text) => ConfigurationFile.Parse("/etc/pgbackup/config.yaml", text, "/home/me");
}
