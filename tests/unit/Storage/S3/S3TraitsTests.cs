using PgBackup.Storage.S3;

namespace PgBackup.Tests.Storage.S3;

public sealed class S3TraitsTests
{
    private const S3Lack Held = S3Lack.Checksum | S3Lack.UnsignedPayload | S3Lack.Condition;

    [Theory]
    [InlineData(501, "NotImplemented")]
    [InlineData(400, "InvalidRequest")]
    [InlineData(411, "MissingContentLength")]
    public void EachThingIsLeftOutAloneBeforeAll(int status, string code) =>
        Assert.Equal(
            [S3Lack.Checksum, S3Lack.UnsignedPayload, S3Lack.Checksum | S3Lack.UnsignedPayload, S3Lack.Condition, Held],
            S3Traits.WaysOut(S3RetryRulesTests.Answer(status, code), Held));

    [Fact]
    public void ARefusedBodySignatureIsKnownByItsName() =>
        Assert.Equal([S3Lack.UnsignedPayload], S3Traits.WaysOut(S3RetryRulesTests.Answer(400, "XAmzContentSHA256Mismatch"), Held));

    [Theory]
    [InlineData(403, "AccessDenied")]
    [InlineData(404, "NoSuchBucket")]
    [InlineData(412, "PreconditionFailed")]
    [InlineData(400, "ExpiredToken")]
    [InlineData(400, "InvalidStorageClass")]
    public void WhatIsNoneOfTheFormIsFinal(int status, string code) => Assert.Empty(S3Traits.WaysOut(S3RetryRulesTests.Answer(status, code), Held));

    [Fact]
    public void WhatIsLearntIsKeptForTheBucket()
    {
        var settings = new S3Settings { Bucket = Guid.NewGuid().ToString(), EndpointUrl = new Uri("http://localhost:1") };
        Assert.Empty(S3Traits.Of(settings).Describe());
        S3Traits.Of(settings).Remember(S3Lack.Checksum);
        S3Traits.Of(settings).Remember(S3Lack.BatchDelete);
        Assert.Equal(S3Lack.Checksum | S3Lack.BatchDelete, S3Traits.Of(settings with { Prefix = "other" }).Lacks);
        Assert.Equal(2, S3Traits.Of(settings).Describe().Count);
        Assert.Equal(S3Lack.None, S3Traits.Of(settings with { Bucket = "another" }).Lacks);
    }
}
