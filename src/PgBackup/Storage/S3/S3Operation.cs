namespace PgBackup.Storage.S3;

/// <summary>What a request is for, in the words that an error needs.</summary>
/// <param name="Action">The right it takes, as policies name it, for example <c>s3:PutObject</c>.</param>
/// <param name="Key">The object's key in the repository, or the folder; empty for the whole.</param>
/// <param name="Writes">Whether it changes the store.</param>
/// <param name="Idle">How long nothing may come or go before the attempt is given up; null for the usual time.</param>
internal readonly record struct S3Operation(string Action, string Key, bool Writes, TimeSpan? Idle = null)
{
    public static S3Operation Get(string key) => new("s3:GetObject", key, false);

    public static S3Operation Put(string key) => new("s3:PutObject", key, true);

    /// <summary>The store puts parts together or copies within itself before it answers.</summary>
    public static S3Operation LongPut(string key) => new("s3:PutObject", key, true, TimeSpan.FromMinutes(10));

    public static S3Operation Delete(string key) => new("s3:DeleteObject", key, true);

    public static S3Operation List(string folder) => new("s3:ListBucket", folder, false);

    public static S3Operation ListUploads(string folder) => new("s3:ListBucketMultipartUploads", folder, false);

    public static S3Operation ListVersions(string folder) => new("s3:ListBucketVersions", folder, false);

    public static S3Operation DeleteVersions(string folder) => new("s3:DeleteObjectVersion", folder, true);

    public static S3Operation Abort(string key) => new("s3:AbortMultipartUpload", key, true);
}
