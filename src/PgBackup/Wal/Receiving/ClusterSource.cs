using System.Globalization;
using PgBackup.Errors;
using PgBackup.Postgres.Replication;
using PgBackup.Postgres.Server;
using PgBackup.Repository.Documents;

namespace PgBackup.Wal.Receiving;

/// <summary>The cluster whose WAL is received.</summary>
/// <param name="Server">Host and port, for messages.</param>
/// <param name="SystemIdentifier">The cluster.</param>
/// <param name="MajorVersion">The server's major version.</param>
/// <param name="Size">The segment size.</param>
internal sealed record ClusterSource(string Server, ulong SystemIdentifier, int MajorVersion, WalSegmentSize Size)
{
    /// <summary>The cluster as the repository knows it.</summary>
    public ClusterIdentity Identity => new(SystemIdentifier, MajorVersion, Size.Bytes, DateTimeOffset.UtcNow);

    /// <summary>Asks the server.</summary>
    public static async Task<ClusterSource> ReadAsync(ReplicationConnection connection, ulong systemIdentifier, CancellationToken cancellationToken)
    {
        string text = await connection.ShowAsync("wal_segment_size", cancellationToken).ConfigureAwait(false);
        // 16MB, 1GB: the server prints the largest unit that fits.
        (int unit, int letters) = text.EndsWith("GB", StringComparison.Ordinal) ? (1 << 30, 2) : text.EndsWith("MB", StringComparison.Ordinal) ? (1 << 20, 2) : (1, 0);
        return int.TryParse(text.AsSpan(0, text.Length - letters), NumberStyles.None, CultureInfo.InvariantCulture, out int number) && WalSegmentSize.IsValid((long)number * unit)
            ? new ClusterSource(connection.Server, systemIdentifier, connection.MajorVersion, new WalSegmentSize(number * unit))
            : throw PgErrors.ServerAnswerUnexpected(connection.Server, $"its segment size is '{text}'", new FormatException(text));
    }
}
