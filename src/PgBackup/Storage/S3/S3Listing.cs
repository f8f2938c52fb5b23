using System.Runtime.CompilerServices;
using Amazon.S3;
using Amazon.S3.Model;
using PgBackup.Errors;

namespace PgBackup.Storage.S3;

/// <summary>Listings, page by page; the next page is fetched while the last is being used.</summary>
internal static class S3Listing
{
    /// <summary>The pages of a folder; with its folders apart when not recursive.</summary>
    public static async IAsyncEnumerable<ListObjectsV2Response> PagesAsync(
        S3Context context, string folder, bool recursive, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string prefix = context.NameOfFolder(folder);
        Task<ListObjectsV2Response> next = FetchAsync(null);
        string? last = null;
        try
        {
            while (true)
            {
                ListObjectsV2Response page = await next.ConfigureAwait(false);
                bool more = page.IsTruncated == true;
                if (more && (string.IsNullOrEmpty(page.NextContinuationToken) || page.NextContinuationToken == last))
                    throw PgErrors.StorageReadFailed(context.Location, folder, new IOException("The store says that its listing goes on, but not where."));
                last = page.NextContinuationToken;
                if (more)
                    next = FetchAsync(page.NextContinuationToken);
                yield return page;
                if (!more)
                    yield break;
            }
        }
        finally
        {
            await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // Of a caller that stopped early.
        }

        Task<ListObjectsV2Response> FetchAsync(string? continuation)
        {
            var request = new ListObjectsV2Request
            {
                BucketName = context.Bucket, Prefix = prefix, Delimiter = recursive ? null : "/", ContinuationToken = continuation, Encoding = EncodingType.Url,
            };
            return context.Requests.RunAsync(S3Operation.List(folder), (client, guard) => client.ListObjectsV2Async(request, guard.Token), cancellationToken);
        }
    }

    /// <summary>What a listing of all that begins as the keys do has of them; null when that is more than one page.</summary>
    public static async Task<IReadOnlyDictionary<string, S3Object>?> FindAsync(S3Context context, IReadOnlyList<string> keys, CancellationToken cancellationToken)
    {
        string shared = keys[0];
        foreach (string key in keys)
            shared = shared[..shared.AsSpan().CommonPrefixLength(key)];
        var request = new ListObjectsV2Request { BucketName = context.Bucket, Prefix = context.NamesFrom(shared), Encoding = EncodingType.Url };
        ListObjectsV2Response page = await context.Requests.RunAsync(
            S3Operation.List(shared), (client, guard) => client.ListObjectsV2Async(request, guard.Token), cancellationToken).ConfigureAwait(false);
        if (page.IsTruncated == true)
            return null;
        var found = new Dictionary<string, S3Object>(StringComparer.Ordinal);
        foreach (S3Object item in page.S3Objects ?? [])
        {
            if (context.TryKeyOf(Decode(item.Key, page.Encoding), out string? key))
                found[key] = item;
        }
        return found;
    }

    /// <summary>A name as it is, of one that the store has encoded so that any character can stand in XML.</summary>
    public static string Decode(string name, EncodingType? encoding) =>
        encoding == EncodingType.Url ? Uri.UnescapeDataString(name.Replace('+', ' ')) : name;
}
