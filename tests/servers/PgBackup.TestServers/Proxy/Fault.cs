using System.Net;

namespace PgBackup.TestServers.Proxy;

/// <summary>What the proxy does to a request, other than passing it on.</summary>
public abstract record Fault
{
    /// <summary>Passes on so many bytes of the request's body, then resets both connections.</summary>
    public sealed record ResetRequest(long AfterBytes) : Fault;

    /// <summary>Passes on so many bytes of the answer's body, then resets the client's connection.</summary>
    public sealed record ResetAnswer(long AfterBytes) : Fault;

    /// <summary>Passes on so many bytes of the answer's body, then closes the connection in good order, although more was promised.</summary>
    public sealed record TruncateAnswer(long AfterBytes) : Fault;

    /// <summary>Has the request carried out, and resets the client's connection in place of the answer.</summary>
    public sealed record LoseAnswer : Fault;

    /// <summary>Takes the whole request, passes nothing on and says nothing, until the client goes away or so much time has passed; then resets.</summary>
    public sealed record Stall(TimeSpan Duration) : Fault;

    /// <summary>Waits before it passes the request on.</summary>
    public sealed record Delay(TimeSpan Duration) : Fault;

    /// <summary>Passes on both bodies no faster than this.</summary>
    public sealed record Throttle(long BytesPerSecond) : Fault;

    /// <summary>Answers by itself, with an error as S3 writes it.</summary>
    public sealed record Answer(HttpStatusCode Status, string Code) : Fault
    {
        /// <summary>What the answer says in words.</summary>
        public string Message { get; init; } = "Answered by the tests' proxy.";

        /// <summary>Headers to send along.</summary>
        public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();
    }

    /// <summary>Has the request carried out and answers with another ETag.</summary>
    public sealed record WrongETag : Fault;

    /// <summary>Turns over one bit of the answer's body.</summary>
    public sealed record DamageAnswer(long AtByte) : Fault;

    /// <summary>Turns over one bit of the request's body.</summary>
    public sealed record DamageRequest(long AtByte) : Fault;

    /// <summary>Leaves what was written less than this ago out of the listing.</summary>
    public sealed record Lag(TimeSpan Duration) : Fault;

    /// <summary>503 SlowDown, as a store answers that is asked too much.</summary>
    public static Answer SlowDown => new(HttpStatusCode.ServiceUnavailable, "SlowDown");

    /// <summary>500 InternalError.</summary>
    public static Answer InternalError => new(HttpStatusCode.InternalServerError, "InternalError");

    /// <summary>What a store says of credentials that have run out.</summary>
    public static Answer ExpiredToken => new(HttpStatusCode.BadRequest, "ExpiredToken");

    /// <summary>What a store says to a client whose clock is wrong.</summary>
    public static Answer RequestTimeTooSkewed => new(HttpStatusCode.Forbidden, "RequestTimeTooSkewed");
}

/// <summary>Which requests a fault befalls.</summary>
/// <param name="Applies">Which kind of request.</param>
/// <param name="Fault">The fault.</param>
public sealed record FaultRule(Func<ProxyRequest, bool> Applies, Fault Fault)
{
    private int _seen;

    /// <summary>How many such requests pass first.</summary>
    public int Skip { get; init; }

    /// <summary>How many it befalls then; all when null.</summary>
    public int? Times { get; init; }

    /// <summary>How many requests it has befallen.</summary>
    public int Fired => Math.Clamp(Volatile.Read(ref _seen) - Skip, 0, Times ?? int.MaxValue);

    internal bool Takes(ProxyRequest request)
    {
        if (!Applies(request))
            return false;
        int number = Interlocked.Increment(ref _seen);
        return number > Skip && (Times is not { } times || number <= Skip + times);
    }
}
