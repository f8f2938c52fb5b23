using System.Net;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using PgBackup.Errors;

namespace PgBackup.Storage.S3;

/// <summary>Deletes objects, a thousand with a request; one by one at stores that cannot.</summary>
internal static class S3Deletion
{
    private const int BatchSize = 1_000; // "DeleteObjects", Amazon S3 API Reference.
    private const int BatchesAtOnce = 4;

    /// <summary>Deletes them; throws <c>ObjectLocked</c>, <c>StorageAccessDenied</c> or <c>StorageDeletionIncomplete</c> after having tried all.</summary>
    public static async Task RunAsync(S3Context context, IReadOnlyCollection<string> keys, CancellationToken cancellationToken)
    {
        foreach (string key in keys)
            ObjectKey.Validate(key);
        var failures = new Failures();
        await Parallel.ForEachAsync(
            keys.Distinct(StringComparer.Ordinal).Chunk(BatchSize),
            new ParallelOptions { MaxDegreeOfParallelism = BatchesAtOnce, CancellationToken = cancellationToken },
            async (batch, token) => await DeleteBatchAsync(context, batch, failures, token).ConfigureAwait(false)).ConfigureAwait(false);
        failures.Throw(context, keys.Count);
    }

    private static async ValueTask DeleteBatchAsync(S3Context context, IReadOnlyList<string> batch, Failures failures, CancellationToken cancellationToken)
    {
        if (batch.Count == 1 || context.Requests.Traits.Lacks.HasFlag(S3Lack.BatchDelete))
        {
            await DeleteSinglyAsync(context, batch, failures, cancellationToken).ConfigureAwait(false);
            return;
        }
        IReadOnlyList<string> rest = batch;
        for (int attempt = 0; ; attempt++)
        {
            IReadOnlyList<DeleteError> errors;
            try
            {
                errors = await SendAsync(context, rest, cancellationToken).ConfigureAwait(false);
            }
            catch (AmazonServiceException error) when (error.StatusCode is HttpStatusCode.NotImplemented or HttpStatusCode.MethodNotAllowed or HttpStatusCode.BadRequest)
            {
                // Its first refusal. One by one it will be seen whether it was the form.
                await DeleteSinglyAsync(context, rest, failures, cancellationToken).ConfigureAwait(false);
                context.Requests.Traits.Remember(S3Lack.BatchDelete);
                return;
            }
            catch (Exception error) when (S3ErrorMapping.IsOfStore(error, cancellationToken))
            {
                throw context.Requests.Explain(error, S3Operation.Delete(rest[0]));
            }
            var again = new List<string>();
            foreach (DeleteError error in errors)
            {
                if (error.Code is "NoSuchKey" or "NoSuchVersion" || !context.TryKeyOf(error.Key, out string? key))
                    continue;
                if (error.Code is "InternalError" or "SlowDown" or "ServiceUnavailable" or "OperationAborted" && attempt < context.Settings.MaxRetries)
                    again.Add(key);
                else
                    failures.Add(key, error.Code, error.Message);
            }
            if (again.Count == 0)
                return;
            rest = again;
            await Task.Delay(S3RetryRules.Delay(attempt, Random.Shared), cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<IReadOnlyList<DeleteError>> SendAsync(S3Context context, IReadOnlyList<string> keys, CancellationToken cancellationToken)
    {
        var request = new DeleteObjectsRequest { BucketName = context.Bucket, Quiet = true, Objects = [] };
        foreach (string key in keys)
            request.Objects.Add(new KeyVersion { Key = context.NameOf(key) });
        try
        {
            DeleteObjectsResponse response = await context.Requests.SendAsync(
                S3Operation.Delete(keys[0]), (client, guard) => client.DeleteObjectsAsync(request, guard.Token), cancellationToken).ConfigureAwait(false);
            return response.DeleteErrors ?? [];
        }
        catch (DeleteObjectsException error)
        {
            return error.Response.DeleteErrors; // The answer was 200: some went, some did not.
        }
    }

    private static Task DeleteSinglyAsync(S3Context context, IReadOnlyList<string> keys, Failures failures, CancellationToken cancellationToken) =>
        Parallel.ForEachAsync(
            keys,
            new ParallelOptions { MaxDegreeOfParallelism = context.Settings.ConcurrentRequests, CancellationToken = cancellationToken },
            async (key, token) =>
            {
                var request = new DeleteObjectRequest { BucketName = context.Bucket, Key = context.NameOf(key) };
                S3Operation operation = S3Operation.Delete(key);
                try
                {
                    await context.Requests.SendAsync(operation, (client, guard) => client.DeleteObjectAsync(request, guard.Token), token).ConfigureAwait(false);
                }
                catch (AmazonServiceException error) when (error.StatusCode == HttpStatusCode.NotFound && error.ErrorCode != "NoSuchBucket")
                {
                    // Gone already.
                }
                catch (AmazonServiceException error) when (error.StatusCode == HttpStatusCode.Forbidden && error.ErrorCode is "AccessDenied" or "Forbidden" or "ObjectLocked")
                {
                    failures.Add(key, error.ErrorCode, error.Message);
                }
                catch (Exception error) when (S3ErrorMapping.IsOfStore(error, token))
                {
                    throw context.Requests.Explain(error, operation);
                }
            });

    /// <summary>The keys that stayed.</summary>
    private sealed class Failures
    {
        private readonly Lock _lock = new();
        private readonly List<string> _keys = [];
        private string? _code;
        private string? _said;

        public void Add(string key, string code, string? said)
        {
            lock (_lock)
            {
                _keys.Add(key);
                _code ??= code;
                _said ??= said;
            }
        }

        public void Throw(S3Context context, int asked)
        {
            if (_keys.Count == 0)
                return;
            string reason = S3ErrorMapping.Sentence(string.IsNullOrWhiteSpace(_said) ? _code! : $"{_code}: {_said}");
            var cause = new IOException(reason);
            if (S3ErrorMapping.IsOfLock(_said) || _code == "ObjectLocked")
                throw PgErrors.ObjectLocked(context.Location, _keys[0], PgErrors.DeletionIncomplete(context.Location, _keys, asked, reason, null));
            if (_code is "AccessDenied" or "Forbidden")
                throw PgErrors.DeletionDenied(context.Location, _keys, asked, cause);
            throw PgErrors.DeletionIncomplete(context.Location, _keys, asked, reason, cause);
        }
    }
}
