using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Amazon.Runtime;
using Amazon.Runtime.Internal;
using Amazon.S3;
using Amazon.S3.Model;

namespace PgBackup.Storage.S3;

/// <summary>The SDK's client, with retries left to <see cref="S3Requests"/>, and bodies sent as they are.</summary>
internal sealed class PgBackupS3Client(AWSCredentials credentials, AmazonS3Config config) : AmazonS3Client(credentials, config)
{
    // The SDK wraps the streams that it is given, and does not give them back.
    private static readonly ConditionalWeakTable<AmazonWebServiceRequest, BodyStream> s_bodies = [];

    /// <summary>Says what the body of a request is.</summary>
    public static void Attach(AmazonWebServiceRequest request, BodyStream body) => s_bodies.Add(request, body);

    /// <inheritdoc/>
    protected override void CustomizeRuntimePipeline(RuntimePipeline pipeline)
    {
        base.CustomizeRuntimePipeline(pipeline);
        pipeline.ReplaceHandler<RetryHandler>(new RetryHandler(new OnlyClockSkew()));
        pipeline.AddHandlerBefore<Signer>(new PlainBodies());
    }

    /// <summary>Within the SDK only this is tried again: a request that was refused for its time, signed with the store's time.</summary>
    private sealed class OnlyClockSkew : RetryPolicy
    {
        public OnlyClockSkew() => MaxRetries = 1;

        public override bool CanRetry(IExecutionContext executionContext) => executionContext.RequestContext.Request?.ContentStream is null;

        public override bool RetryForException(IExecutionContext executionContext, Exception exception) => false;

        public override Task<bool> RetryForExceptionAsync(IExecutionContext executionContext, Exception exception) => Task.FromResult(false);

        public override bool RetryLimitReached(IExecutionContext executionContext) => executionContext.RequestContext.Retries >= MaxRetries;

        public override void WaitBeforeRetry(IExecutionContext executionContext)
        {
        }

        public override Task WaitBeforeRetryAsync(IExecutionContext executionContext) => Task.CompletedTask;
    }

    /// <summary>
    /// Sends bodies neither in chunks of aws-chunked nor wrapped, whatever the SDK would do: older stores refuse the chunks, or store them as
    /// content. And adds to a batch deletion the digest that older stores want.
    /// </summary>
    private sealed class PlainBodies : PipelineHandler
    {
        public override Task<T> InvokeAsync<T>(IExecutionContext executionContext)
        {
            IRequest request = executionContext.RequestContext.Request;
            if (s_bodies.TryGetValue(request.OriginalRequest, out BodyStream? body))
            {
                body.BeforeSignature();
                request.ContentStream = body;
                request.UseChunkEncoding = false;
                request.Headers["Content-Length"] = body.Length.ToString(CultureInfo.InvariantCulture);
            }
            else if (request.OriginalRequest is DeleteObjectsRequest && request.Content is { } content)
            {
                // The first form of the rule ("DeleteObjects", header Content-MD5); AWS takes newer checksums as well, older stores only this.
                request.Headers["Content-MD5"] = Convert.ToBase64String(MD5.HashData(content));
            }
            return base.InvokeAsync<T>(executionContext);
        }
    }
}
