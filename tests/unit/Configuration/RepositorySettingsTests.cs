using PgBackup.Codecs;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Storage;
using PgBackup.Storage.S3;

namespace PgBackup.Tests.Configuration;

public sealed class RepositorySettingsTests
{
    private const string RawKey = "0123456789abcdef0123456789abcdef";

    private readonly Dictionary<string, string?> _environment = [];

    [Theory]
    [InlineData("s3://bucket", "bucket", "")]
    [InlineData("S3://bucket/", "bucket", "")]
    [InlineData("s3://my.bucket/a/b/", "my.bucket", "a/b")]
    [InlineData("s3://bucket//a//b", "bucket", "a//b")]
    [InlineData("s3://bucket/a%20b/ü", "bucket", "a b/ü")]
    [InlineData("s3://tenant:bucket/x", "tenant:bucket", "x")]
    public void ABucketIsReadAsWalGReadsIt(string location, string bucket, string prefix)
    {
        S3Settings settings = Bucket(location);
        Assert.Equal(bucket, settings.Bucket);
        Assert.Equal(prefix, settings.Prefix);
    }

    [Theory]
    [InlineData("/srv/repo", "/srv/repo")]
    [InlineData("/srv/repo/", "/srv/repo")]
    [InlineData("file:///srv/repo", "/srv/repo")]
    [InlineData("file://localhost/srv/repo", "/srv/repo")]
    [InlineData("./repo", "/work folder/repo")]
    [InlineData("../repo", "/repo")]
    public void AFolderIsAFullPath(string location, string folder) =>
        Assert.Equal(new DirectorySettings(folder), Resolve(new RepositoryArguments { Repository = location, WorkingFolder = "/work folder" }).Storage);

    [Theory]
    [InlineData("s3://", "RepositoryLocationInvalid")]
    [InlineData("s3:///prefix", "RepositoryLocationInvalid")]
    [InlineData("s3://AKIA:canary@bucket/x", "RepositoryLocationInvalid")]
    [InlineData("s3://bucket/a/../b", "RepositoryLocationInvalid")]
    [InlineData("s3://bucket/a?x=1", "RepositoryLocationInvalid")]
    [InlineData("file://host/srv", "RepositoryLocationInvalid")]
    [InlineData("gs://canary/x", "RepositoryKindNotSupported")]
    public void OtherLocationsAreRefusedWithoutRepeatingSecrets(string location, string id)
    {
        PgBackupException error = Fails(new RepositoryArguments { Repository = location });
        Assert.Equal(id, error.Id);
        Assert.DoesNotContain("canary", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheEnvironmentNamesOneRepository()
    {
        Assert.Equal("RepositoryNotGiven", Fails(new RepositoryArguments()).Id);
        _environment["WALE_S3_PREFIX"] = "s3://old/x";
        Assert.Equal("s3://old/x", Resolve(new RepositoryArguments()).Location);
        _environment["WALG_S3_PREFIX"] = "s3://new/x";
        Assert.Equal("s3://new/x", Resolve(new RepositoryArguments()).Location);
        _environment["WALG_FILE_PREFIX"] = "/srv/repo";
        PgBackupException error = Fails(new RepositoryArguments());
        Assert.Equal("RepositoryAmbiguous", error.Id);
        Assert.Contains("WALG_FILE_PREFIX", error.Message, StringComparison.Ordinal);
        Assert.Contains("WALG_S3_PREFIX", error.Message, StringComparison.Ordinal);
        Assert.Equal("/given", Resolve(new RepositoryArguments { Repository = "/given" }).Location);
    }

    [Fact]
    public void EverySettingOfABucketComesFromTheEnvironment()
    {
        foreach ((string name, string value) in new[]
        {
            ("AWS_ENDPOINT", "s3.example.com:9000"), ("AWS_REGION", "eu-central-1"), ("AWS_S3_FORCE_PATH_STYLE", "F"), ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_SESSION_TOKEN", "token"), ("WALG_S3_CA_CERT_FILE", "/etc/ca.pem"), ("WALG_S3_STORAGE_CLASS", "STANDARD_IA"),
            ("WALG_S3_SSE", "aws:kms"), ("WALG_S3_SSE_KMS_ID", "key-1"), ("S3_RETENTION_PERIOD", "86400"), ("S3_RETENTION_MODE", "COMPLIANCE"),
            ("WALG_S3_MAX_PART_SIZE", "33554432"), ("WALG_S3_MAX_RETRIES", "3"), ("WALG_UPLOAD_CONCURRENCY", "4"), ("WALG_COMPRESSION_METHOD", "lz4"),
        })
            _environment[name] = value;
        RepositorySettings settings = Resolve(new RepositoryArguments { Repository = "s3://bucket/x" });
        var s3 = (S3Settings)settings.Storage;
        Assert.Equal(new Uri("https://s3.example.com:9000"), s3.EndpointUrl);
        Assert.Equal("eu-central-1", s3.Region);
        Assert.False(s3.ForcePathStyle);
        Assert.Equal(("AKIA", "secret", "token"), (s3.Credential!.AccessKey, s3.Credential.SecretKey.Reveal(), s3.Credential.SessionToken!.Reveal()));
        Assert.Equal("/etc/ca.pem", s3.CaCertificateFile);
        Assert.Equal("STANDARD_IA", s3.StorageClass);
        Assert.Equal((S3ServerSideEncryption.Kms, "key-1"), (s3.ServerSideEncryption, s3.KmsKeyId));
        Assert.Equal((TimeSpan.FromDays(1), S3RetentionMode.Compliance), (s3.RetentionPeriod, s3.RetentionMode));
        Assert.Equal((32L << 20, 3, 4), (s3.PartSize, s3.MaxRetries, s3.ConcurrentRequests));
        Assert.Equal(CompressionMethod.Lz4, settings.Compression);
        Assert.Contains(new ConfigurationValue("region", "eu-central-1", "environment AWS_REGION"), settings.Values);
        Assert.DoesNotContain(settings.Values, value => value.Value is "secret" or "token");
    }

    [Fact]
    public void WithoutAnythingThereAreTheDefaults()
    {
        S3Settings s3 = Bucket("s3://bucket");
        Assert.Equal(new S3Settings { Bucket = "bucket" }, s3);
    }

    [Fact]
    public void ParametersGoBeforeTheEnvironment()
    {
        _environment["AWS_ENDPOINT"] = "https://other";
        _environment["AWS_REGION"] = "other";
        _environment["AWS_PROFILE"] = "other";
        _environment["AWS_ACCESS_KEY_ID"] = _environment["AWS_SECRET_ACCESS_KEY"] = "other";
        var arguments = new RepositoryArguments { Repository = "s3://bucket", EndpointUrl = new Uri("http://own:1"), Region = "own", ProfileName = "own" };
        var s3 = (S3Settings)Resolve(arguments).Storage;
        Assert.Equal((new Uri("http://own:1"), "own", "own", (S3Credential?)null), (s3.EndpointUrl, s3.Region, s3.ProfileName, s3.Credential));
        var credential = new S3Credential("a", new SecretText("s"));
        s3 = (S3Settings)Resolve(arguments with { ProfileName = null, StorageCredential = credential }).Storage;
        Assert.Equal((null, credential), (s3.ProfileName, s3.Credential));
        Assert.Equal("SettingInvalid", Fails(arguments with { StorageCredential = credential }).Id);
    }

    [Fact]
    public void AKeyOfTheEnvironmentGoesBeforeItsProfile()
    {
        _environment["AWS_PROFILE"] = "p";
        _environment["AWS_SHARED_CREDENTIALS_FILE"] = "/c";
        Assert.Equal(("p", "/c"), (Bucket("s3://b12").ProfileName, Bucket("s3://b12").CredentialsFile));
        _environment["AWS_ACCESS_KEY"] = "a";
        Assert.Equal("SettingInvalid", Fails(new RepositoryArguments { Repository = "s3://b12" }).Id);
        _environment["AWS_SECRET_KEY"] = "s";
        Assert.Equal((null, "a"), (Bucket("s3://b12").ProfileName, Bucket("s3://b12").Credential?.AccessKey));
    }

    [Theory]
    [InlineData(RawKey)]
    [InlineData("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")]
    public void ACustomerKeyIsTakenAsItsBytesOrInBase64(string text)
    {
        _environment["WALG_S3_SSE_C"] = text;
        Assert.Equal("SettingInvalid", Fails(new RepositoryArguments { Repository = "s3://bucket" }).Id);
        _environment["WALG_S3_SSE"] = "AES256";
        S3Settings s3 = Bucket("s3://bucket");
        Assert.Equal(S3ServerSideEncryption.CustomerKey, s3.ServerSideEncryption);
        Assert.Equal("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", s3.CustomerKey!.Reveal());
    }

    [Theory]
    [InlineData("AWS_ENDPOINT", "ftp://canary")]
    [InlineData("AWS_ENDPOINT", "https://user:canary@host")]
    [InlineData("AWS_ENDPOINT_URL", "https://host?x")]
    [InlineData("AWS_REGION", "two words")]
    [InlineData("AWS_S3_FORCE_PATH_STYLE", "yes")]
    [InlineData("WALG_S3_SSE", "canary")]
    [InlineData("WALG_S3_SSE_KMS_ID", "alone")]
    [InlineData("WALG_S3_SSE_C", "canary")]
    [InlineData("S3_RETENTION_PERIOD", "30d")]
    [InlineData("S3_RETENTION_PERIOD", "0")]
    [InlineData("S3_RETENTION_MODE", "soft")]
    [InlineData("WALG_S3_MAX_PART_SIZE", "1024")]
    [InlineData("WALG_S3_MAX_PART_SIZE", "5GiB")]
    [InlineData("WALG_S3_MAX_RETRIES", "-1")]
    [InlineData("WALG_UPLOAD_CONCURRENCY", "0")]
    [InlineData("AWS_SECRET_ACCESS_KEY", "canary")]
    [InlineData("WALG_ZSTD_LEVEL", "19")]
    public void ABadValueIsNamedWithItsSource(string name, string value)
    {
        _environment[name] = value;
        PgBackupException error = Fails(new RepositoryArguments { Repository = "s3://bucket" });
        Assert.Equal("SettingInvalid", error.Id);
        Assert.Contains($"{name} (environment {name})", error.Message, StringComparison.Ordinal);
        if (value.Contains(':', StringComparison.Ordinal) || name.Contains("SECRET", StringComparison.Ordinal) || name.EndsWith("SSE_C", StringComparison.Ordinal))
            Assert.DoesNotContain(":canary@", error.Message + error.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatOnlyABucketHasIsAnErrorForAFolder()
    {
        foreach (RepositoryArguments arguments in new RepositoryArguments[]
        {
            new() { EndpointUrl = new Uri("http://x") }, new() { Region = "x" }, new() { ProfileName = "x" }, new() { StorageCredential = new S3Credential("a", new SecretText("s")) },
        })
            Assert.Equal("SettingInvalid", Fails(arguments with { Repository = "/srv/repo" }).Id);
        _environment["AWS_REGION"] = "x";
        Assert.Equal("/srv/repo", Resolve(new RepositoryArguments { Repository = "/srv/repo" }).Location);
    }

    private S3Settings Bucket(string location) => (S3Settings)Resolve(new RepositoryArguments { Repository = location }).Storage;

    private RepositorySettings Resolve(RepositoryArguments arguments) => RepositorySettings.Resolve(arguments, name => _environment.GetValueOrDefault(name));

    private PgBackupException Fails(RepositoryArguments arguments) => Assert.Throws<PgBackupException>(() => Resolve(arguments));
}
