using System.Security.Cryptography;
using PgBackup.Storage;
using PgBackup.Storage.S3;

namespace PgBackup.Verification.Doctor;

/// <summary>An object that is larger than one part, as the parts of a backup are.</summary>
internal static class MultipartCheck
{
    // The smallest part that S3 allows, twice, and a rest.
    private const int PartSize = 5 << 20;
    private const int Size = (2 * PartSize) + (1 << 20);
    private const int Step = 1 << 20;

    public static async Task<CheckFinding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        if (!await DeleteChecks.CanDeleteAsync(context, cancellationToken).ConfigureAwait(false))
            return CheckFinding.Skipped($"Not tried: what cannot be deleted again would stay, {new ByteSize(Size)} of it.");
        IObjectStore store = context.Settings.Storage is S3Settings s3 ? ObjectStores.Open(s3 with { PartSize = PartSize }) : context.Store;
        using IDisposable? connections = store == context.Store ? null : store as IDisposable;
        byte[] content = RandomNumberGenerator.GetBytes(Size);
        string key = context.Probes.Add("multipart");
        ObjectWriter writer = await store.CreateAsync(key, PutCondition.None, cancellationToken).ConfigureAwait(false);
        await using (writer.ConfigureAwait(false))
        {
            for (int offset = 0; offset < Size; offset += Step)
                await writer.WriteAsync(content.AsMemory(offset, Step), cancellationToken).ConfigureAwait(false);
            await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
        }
        byte[]? read = await store.TryReadAllAsync(key, cancellationToken).ConfigureAwait(false);
        if (read is null || !read.AsSpan().SequenceEqual(content))
        {
            return CheckFinding.Failed(
                $"An object of {new ByteSize(Size)} in several parts is not what was written when it is read again.",
                "Do not use this store for backups as it is; look for its release notes on multipart uploads.");
        }
        return CheckFinding.Passed(context.Settings.Storage is S3Settings ? $"{new ByteSize(Size)} in 3 parts were written and read." : $"{new ByteSize(Size)} were written and read.");
    }
}
