using System.Runtime.CompilerServices;
using Amazon.S3.Model;

namespace PgBackup.Storage.S3;

/// <summary>
/// A repository in a bucket of an S3-compatible store. Objects appear whole, by one put or the end of a multipart upload, and count as
/// written when the store, asked again, has what was sent.
/// </summary>
public sealed class S3Store : IObjectStore, IDisposable
{
    private readonly S3Context _context;

    /// <summary>Takes the settings; nothing is asked of the store yet. Throws <c>CaCertificateFileUnusable</c>.</summary>
    public S3Store(S3Settings settings)
    {
        _context = new S3Context(settings);
    }

    /// <inheritdoc/>
    public string Location => _context.Location;

    internal S3Context Context => _context;

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoredObject> ListAsync(
        string folder, bool recursive, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (ListObjectsV2Response page in S3Listing.PagesAsync(_context, folder, recursive, cancellationToken).ConfigureAwait(false))
        {
            foreach (S3Object found in page.S3Objects ?? [])
            {
                if (_context.TryKeyOf(S3Listing.Decode(found.Key, page.Encoding), out string? key)) // What no key can name is no object.
                    yield return new StoredObject(key, found.Size ?? 0, Utc(found.LastModified)) { ETag = found.ETag };
            }
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<string> ListFoldersAsync(string folder, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        int skip = _context.NameOfFolder(folder).Length;
        await foreach (ListObjectsV2Response page in S3Listing.PagesAsync(_context, folder, recursive: false, cancellationToken).ConfigureAwait(false))
        {
            foreach (string prefix in page.CommonPrefixes ?? [])
            {
                string name = S3Listing.Decode(prefix, page.Encoding)[skip..].TrimEnd('/');
                if (ObjectKey.IsValid(name))
                    yield return name;
            }
        }
    }

    /// <inheritdoc/>
    public async Task<StoredObject?> StatAsync(string key, CancellationToken cancellationToken = default) =>
        await S3Confirmation.HeadAsync(_context, key, withChecksum: false, cancellationToken).ConfigureAwait(false) is { } found
            ? new StoredObject(key, found.ContentLength, Utc(found.LastModified))
            : null;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<StoredObject?>> StatAsync(IReadOnlyList<string> keys, CancellationToken cancellationToken = default)
    {
        if (keys.Count > 1 && (_context.Settings.IsAmazon || _context.Requests.Observer.ListsAtOnce)
            && await S3Listing.FindAsync(_context, keys, cancellationToken).ConfigureAwait(false) is { } listed)
            return [.. keys.Select(key => listed.TryGetValue(key, out S3Object? found) ? new StoredObject(key, found.Size ?? 0, ToSecond(found.LastModified)) : (StoredObject?)null)];
        return await Task.WhenAll(keys.Select(key => StatAsync(key, cancellationToken))).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task<Stream> OpenReadAsync(string key, long offset = 0, long? length = null, CancellationToken cancellationToken = default) =>
        S3ReadStream.OpenAsync(_context, key, offset, length, cancellationToken);

    /// <inheritdoc/>
    public Task<ObjectWriter> CreateAsync(string key, PutCondition condition = PutCondition.None, CancellationToken cancellationToken = default) =>
        S3ObjectWriter.OpenAsync(_context, key, condition, cancellationToken);

    /// <inheritdoc/>
    public bool CanCopyFrom(IObjectStore source) =>
        source is S3Store { _context.Settings: { } theirs } && _context.Settings is var ours
        && theirs.EndpointUrl == ours.EndpointUrl && theirs.ProfileName == ours.ProfileName && theirs.CredentialsFile == ours.CredentialsFile
        && theirs.Credential?.AccessKey == ours.Credential?.AccessKey
        && ((S3Store)source)._context.Requests.Region == _context.Requests.Region;

    /// <inheritdoc/>
    public Task CopyFromAsync(IObjectStore source, string sourceKey, string targetKey, CancellationToken cancellationToken = default) =>
        CanCopyFrom(source)
            ? S3Copy.RunAsync((S3Store)source, sourceKey, this, targetKey, cancellationToken)
            : throw new ArgumentException("Objects of this store cannot be copied within the store.", nameof(source));

    /// <inheritdoc/>
    public Task DeleteAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken = default) =>
        S3Deletion.RunAsync(_context, keys, cancellationToken);

    /// <inheritdoc/>
    public async IAsyncEnumerable<UnfinishedObject> ListUnfinishedAsync(
        string folder, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach ((string key, _, DateTimeOffset started) in S3Unfinished.ListAsync(_context, folder, cancellationToken).ConfigureAwait(false))
            yield return new UnfinishedObject(key, started);
    }

    /// <inheritdoc/>
    public async Task<int> RemoveUnfinishedAsync(string folder, DateTimeOffset startedBefore, CancellationToken cancellationToken = default)
    {
        int count = 0;
        await foreach ((string key, string uploadId, DateTimeOffset started) in S3Unfinished.ListAsync(_context, folder, cancellationToken).ConfigureAwait(false))
        {
            if (started >= startedBefore)
                continue;
            await S3Unfinished.AbortAsync(_context, key, uploadId, cancellationToken).ConfigureAwait(false);
            count++;
        }
        return count;
    }

    /// <inheritdoc/>
    public Task<long> PurgeVersionsAsync(string folder, Func<string, bool> isWanted, CancellationToken cancellationToken = default) =>
        S3Versions.PurgeAsync(_context, folder, isWanted, cancellationToken);

    /// <inheritdoc/>
    public Task<StoreDescription> DescribeAsync(CancellationToken cancellationToken = default) => S3Description.AskAsync(_context, cancellationToken);

    /// <summary>Closes the connections.</summary>
    public void Dispose() => _context.Dispose();

    // As a request for one object tells it: some listings are finer, and what is the same must look the same.
    private static DateTimeOffset ToSecond(DateTime? time) => Utc(time) is var exact ? exact.AddTicks(-(exact.Ticks % TimeSpan.TicksPerSecond)) : default;

    private static DateTimeOffset Utc(DateTime? time) => new((time ?? DateTime.UnixEpoch).ToUniversalTime());
}
