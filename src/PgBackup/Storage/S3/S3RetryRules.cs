using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Xml;
using Amazon.Runtime;

namespace PgBackup.Storage.S3;

/// <summary>What to do after an attempt that failed.</summary>
internal enum S3RetryVerdict
{
    /// <summary>It would fail again.</summary>
    Final,

    /// <summary>A passing fault.</summary>
    Again,

    /// <summary>The store asks for less; that is no fault.</summary>
    Slower,

    /// <summary>The store's clock and ours differ; the next attempt is signed with the store's time.</summary>
    ClockSkew,

    /// <summary>The credential has run out; once with a fresh one.</summary>
    Refresh,
}

/// <summary>Which failures pass by themselves, and how long to wait for them. Source: "Amazon S3 error responses", list of error codes.</summary>
internal static class S3RetryRules
{
    private static readonly TimeSpan s_firstDelay = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_longestDelay = TimeSpan.FromSeconds(20);

    /// <summary>Judges a failure.</summary>
    public static S3RetryVerdict Judge(Exception error)
    {
        if (error is AmazonServiceException service && service.StatusCode != 0)
            return Judge(service);
        for (Exception? inner = error; inner is not null; inner = inner.InnerException)
        {
            switch (inner)
            {
                case AuthenticationException:
                    return S3RetryVerdict.Final; // A certificate does not become good by itself.
                case SocketException { SocketErrorCode: SocketError.HostNotFound }:
                    return S3RetryVerdict.Final;
                case SocketException or HttpRequestException or IOException or TimeoutException or OperationCanceledException:
                    if (FindInner<AuthenticationException>(inner) is not null || FindInner<SocketException>(inner) is { SocketErrorCode: SocketError.HostNotFound })
                        return S3RetryVerdict.Final;
                    return S3RetryVerdict.Again;
            }
        }
        // An answer that is no S3 answer: cut short, or a proxy's page.
        return error is AmazonUnmarshallingException or XmlException ? S3RetryVerdict.Again : S3RetryVerdict.Final;
    }

    /// <summary>The wait before the attempt after <paramref name="attempt"/> failures: exponential, with full jitter.</summary>
    public static TimeSpan Delay(int attempt, Random random)
    {
        double most = Math.Min(s_longestDelay.TotalMilliseconds, s_firstDelay.TotalMilliseconds * Math.Pow(2, Math.Min(attempt, 20)));
        return TimeSpan.FromMilliseconds((most / 4) + (random.NextDouble() * most * 3 / 4));
    }

    private static S3RetryVerdict Judge(AmazonServiceException error)
    {
        switch (error.ErrorCode)
        {
            case "SlowDown" or "Throttling" or "ThrottlingException" or "RequestLimitExceeded" or "TooManyRequests" or "TooManyRequestsException"
                or "BandwidthLimitExceeded" or "RequestThrottled" or "SlowDownRead" or "SlowDownWrite":
                return S3RetryVerdict.Slower;
            case "RequestTimeTooSkewed" or "RequestExpired" or "RequestInTheFuture":
                return S3RetryVerdict.ClockSkew;
            case "ExpiredToken" or "ExpiredTokenException" or "TokenRefreshRequired":
                return S3RetryVerdict.Refresh;
            // What the store received is not what was sent, or not all of it: damaged on the way.
            case "RequestTimeout" or "RequestTimeoutException" or "InternalError" or "ServiceUnavailable" or "BadDigest" or "IncompleteBody"
                or "OperationAborted" or "ConditionalRequestConflict":
                return S3RetryVerdict.Again;
        }
        return error.StatusCode switch
        {
            HttpStatusCode.TooManyRequests => S3RetryVerdict.Slower,
            HttpStatusCode.RequestTimeout or HttpStatusCode.InternalServerError or HttpStatusCode.BadGateway
                or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout => S3RetryVerdict.Again,
            // 200 or 206, but nothing that could be read.
            HttpStatusCode.OK or HttpStatusCode.PartialContent => S3RetryVerdict.Again,
            _ => S3RetryVerdict.Final,
        };
    }

    private static T? FindInner<T>(Exception? error) where T : Exception
    {
        for (; error is not null; error = error.InnerException)
        {
            if (error is T found)
                return found;
        }
        return null;
    }
}
