using PgBackup.Errors;
using PgBackup.Storage.S3;

namespace PgBackup.Tests.Storage.S3;

public sealed class S3ErrorMappingTests
{
    private static readonly S3Settings s_settings = new()
    {
        Bucket = "bucket",
        Prefix = "prefix",
        EndpointUrl = new Uri("http://user:hidden@store.example:8080/"),
        Credential = new S3Credential("id", new SecretText("topsecret"), new SecretText("topsecret")),
    };

    [Theory]
    [InlineData(404, "NoSuchBucket", "RepositoryNotFound", ExitCodes.RepositoryMissing)]
    [InlineData(404, "NoSuchKey", "ObjectNotFound", ExitCodes.NothingFound)]
    [InlineData(403, "RequestTimeTooSkewed", "StorageClockSkewed", ExitCodes.Failed)]
    [InlineData(403, "InvalidAccessKeyId", "StorageAccessKeyUnknown", ExitCodes.BadConfiguration)]
    [InlineData(403, "SignatureDoesNotMatch", "StorageSecretWrong", ExitCodes.BadConfiguration)]
    [InlineData(400, "ExpiredToken", "StorageCredentialExpired", ExitCodes.Failed)]
    [InlineData(403, "AccessDenied", "StorageAccessDenied", ExitCodes.Failed)]
    [InlineData(301, "PermanentRedirect", "StorageRegionWrong", ExitCodes.BadConfiguration)]
    [InlineData(400, "AuthorizationHeaderMalformed", "StorageRegionWrong", ExitCodes.BadConfiguration)]
    [InlineData(507, "", "StorageFull", ExitCodes.Failed)]
    [InlineData(403, "QuotaExceeded", "StorageFull", ExitCodes.Failed)]
    [InlineData(400, "KMS.NotFoundException", "StorageKeyServiceFailed", ExitCodes.Failed)]
    [InlineData(500, "InternalError", "StorageReadFailed", ExitCodes.Failed)]
    public void AnAnswerHasItsOwnError(int status, string code, string id, int exitCode)
    {
        PgBackupException error = Map(status, code, "words of the store");
        Assert.Equal((id, exitCode), (error.Id, error.ExitCode));
        Assert.DoesNotContain("topsecret", error.Message + error.Hint);
        Assert.DoesNotContain("hidden", error.Message + error.Hint);
        Assert.EndsWith(".", error.Hint);
    }

    [Fact]
    public void AMissingRightIsNamedWithItsObject()
    {
        PgBackupException error = S3ErrorMapping.Map(
            S3RetryRulesTests.Answer(403, "AccessDenied"), S3Operation.Delete("wal_005/x"), new S3ErrorContext(s_settings, "r", null, null));
        Assert.Contains("s3:DeleteObject", error.Message);
        Assert.Contains("wal_005/x", error.Message);
    }

    [Theory]
    [InlineData("Access Denied because object protected by object lock.")]
    [InlineData("forbidden by object lock")]
    public void ALockedObjectIsNoMissingRight(string said) => Assert.Equal("ObjectLocked", Map(403, "AccessDenied", said).Id);

    [Fact]
    public void TheRightRegionIsNamed()
    {
        Assert.Contains("-Region eu-north-1", Map(400, "AuthorizationHeaderMalformed", "the region 'r' is wrong; expecting 'eu-north-1'").Hint);
        PgBackupException byHeader = S3ErrorMapping.Map(
            S3RetryRulesTests.Answer(301, ""), S3Operation.Get("x"), new S3ErrorContext(s_settings, "r", "eu-south-2", null));
        Assert.Contains("-Region eu-south-2", byHeader.Hint);
    }

    [Fact]
    public void TheClocksDifferenceIsSaid() =>
        Assert.Contains(
            "90 minutes behind",
            S3ErrorMapping.Map(
                S3RetryRulesTests.Answer(403, "RequestTimeTooSkewed"), S3Operation.Get("x"),
                new S3ErrorContext(s_settings, "r", null, TimeSpan.FromMinutes(90))).Message);

    [Fact]
    public void ARetentionThatTheBucketDoesNotTakeIsSaid()
    {
        S3Settings settings = s_settings with { RetentionPeriod = TimeSpan.FromDays(1) };
        Assert.Equal("ObjectLockRefused", S3ErrorMapping.Map(
            S3RetryRulesTests.Answer(400, "InvalidRequest"), S3Operation.Put("x"), new S3ErrorContext(settings, "r", null, null)).Id);
    }

    private static PgBackupException Map(int status, string code, string said) =>
        S3ErrorMapping.Map(S3RetryRulesTests.Answer(status, code, said), S3Operation.Get("key"), new S3ErrorContext(s_settings, "r", null, null));
}
