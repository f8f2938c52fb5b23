using System.Security.Cryptography;
using Amazon.Runtime;
using Amazon.Runtime.Internal;
using Amazon.S3;
using Amazon.S3.Model;

namespace PgBackup.Storage.S3;

/// <summary>The SDK's client, with retries left to <see cref="S3Requests"/>, and the digest that older stores want with a batch deletion.</summary>
internal sealed class PgBackupS3Client(AWSCredentials credentials, AmazonS3Config config) : AmazonS3Client(credentials, config)
{
    /// <inheritdoc/>
    protected override void CustomizeRuntimePipeline(RuntimePipeline pipeline)
    {
        base.CustomizeRuntimePipeline(pipeline);
        pipeline.ReplaceHandler<RetryHandler>(new RetryHandler(new OnlyClockSkew()));
        pipeline.AddHandlerAfter<Marshaller>(new DigestOfDeletion());
    }

    /// <summary>Within the SDK only this is tried again: a request that was refused for its time, signed with the store's time.</summary>
    private sealed class OnlyClockSkew : RetryPolicy
    {
        public OnlyClockSkew() => MaxRetries = 1;

        public override bool CanRetry(IExecutionContext executionContext) => executionContext.RequestContext.Request.ContentStream is null;

        public override bool RetryForException(IExecutionContext executionContext, Exception exception) => false;

        public override Task<bool> RetryForExceptionAsync(IExecutionContext executionContext, Exception exception) => Task.FromResult(false);

        public override bool RetryLimitReached(IExecutionContext executionContext) => executionContext.RequestContext.Retries >= MaxRetries;

        public override void WaitBeforeRetry(IExecutionContext executionContext)
        {
        }

        public override Task WaitBeforeRetryAsync(IExecutionContext executionContext) => Task.CompletedTask;
    }

    private sealed class DigestOfDeletion : PipelineHandler
    {
        public override Task<T> InvokeAsync<T>(IExecutionContext executionContext)
        {
            IRequest request = executionContext.RequestContext.Request;
            // The first form of the rule ("DeleteObjects", header Content-MD5); AWS takes newer checksums as well, older stores only this one.
            if (request.OriginalRequest is DeleteObjectsRequest && request.Content is { } body)
                request.Headers["Content-MD5"] = Convert.ToBase64String(MD5.HashData(body));
            return base.InvokeAsync<T>(executionContext);
        }
    }
}
