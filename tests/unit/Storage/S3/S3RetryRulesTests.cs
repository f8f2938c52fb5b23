using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using Amazon.Runtime;
using Amazon.S3;
using PgBackup.Storage.S3;

namespace PgBackup.Tests.Storage.S3;

public sealed class S3RetryRulesTests
{
    [Theory]
    [InlineData(503, "SlowDown", "Slower")]
    [InlineData(429, "", "Slower")]
    [InlineData(500, "InternalError", "Again")]
    [InlineData(500, "", "Again")]
    [InlineData(502, "", "Again")]
    [InlineData(503, "ServiceUnavailable", "Again")]
    [InlineData(504, "", "Again")]
    [InlineData(400, "RequestTimeout", "Again")]
    [InlineData(400, "BadDigest", "Again")]
    [InlineData(409, "OperationAborted", "Again")]
    [InlineData(200, "", "Again")]
    [InlineData(403, "RequestTimeTooSkewed", "ClockSkew")]
    [InlineData(400, "ExpiredToken", "Refresh")]
    [InlineData(403, "AccessDenied", "Final")]
    [InlineData(403, "SignatureDoesNotMatch", "Final")]
    [InlineData(404, "NoSuchKey", "Final")]
    [InlineData(400, "InvalidArgument", "Final")]
    [InlineData(412, "PreconditionFailed", "Final")]
    [InlineData(301, "PermanentRedirect", "Final")]
    [InlineData(501, "NotImplemented", "Final")]
    public void AnAnswerIsJudged(int status, string code, string verdict) =>
        Assert.Equal(verdict, S3RetryRules.Judge(Answer(status, code)).ToString());

    public static TheoryData<Exception, string> Broken => new()
    {
        { new HttpRequestException("x", new SocketException((int)SocketError.ConnectionRefused)), "Again" },
        { new HttpRequestException("x", new SocketException((int)SocketError.HostNotFound)), "Final" },
        { new HttpRequestException("x", new AuthenticationException("x")), "Final" },
        { new IOException("x", new SocketException((int)SocketError.ConnectionReset)), "Again" },
        { new TimeoutException(), "Again" },
        { new AmazonServiceException("x", new HttpRequestException("x")), "Again" },
        { new InvalidOperationException("x"), "Final" },
        { new ArgumentException("x"), "Final" },
    };

    [Theory]
    [MemberData(nameof(Broken), DisableDiscoveryEnumeration = true)]
    public void ABrokenConnectionIsJudged(Exception error, string verdict) => Assert.Equal(verdict, S3RetryRules.Judge(error).ToString());

    [Fact]
    public void DelaysGrowAndAreBoundedAndNeverTheSame()
    {
        var random = new Random(1);
        for (int attempt = 0; attempt < 40; attempt++)
        {
            double most = Math.Min(20_000, 100 * Math.Pow(2, attempt));
            Assert.InRange(S3RetryRules.Delay(attempt, random).TotalMilliseconds, most / 4, most);
        }
        Assert.NotEqual(S3RetryRules.Delay(5, random), S3RetryRules.Delay(5, random));
    }

    internal static AmazonS3Exception Answer(int status, string code, string message = "") =>
        new(message, ErrorType.Unknown, code, "request", (HttpStatusCode)status);
}
