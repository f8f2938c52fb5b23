namespace PgBackup.Postgres.WalRecords;

/// <summary>Where a <see cref="WalRecordReader"/> gets segments from: an archive, a folder.</summary>
public interface IWalSegmentSource
{
    /// <summary>
    /// Opens the plain content of a segment from its first byte; null when it is not there. The reader disposes the stream. Failures to read
    /// are thrown, also from the stream, and come through the reader as they are.
    /// </summary>
    Task<Stream?> OpenAsync(WalSegmentName segment, CancellationToken cancellationToken);
}

/// <summary>Segments of a folder such as <c>pg_wal</c>, under their plain names.</summary>
public sealed class WalFolderSource(string folder) : IWalSegmentSource
{
    /// <inheritdoc/>
    public Task<Stream?> OpenAsync(WalSegmentName segment, CancellationToken cancellationToken)
    {
        string path = Path.Combine(folder, segment.ToString());
        Stream? stream = File.Exists(path)
            ? new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0, FileOptions.SequentialScan)
            : null;
        return Task.FromResult(stream);
    }
}
