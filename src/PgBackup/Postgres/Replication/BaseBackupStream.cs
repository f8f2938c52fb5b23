using System.Globalization;
using Npgsql;
using PgBackup.Codecs;

namespace PgBackup.Postgres.Replication;

/// <summary>
/// A base backup that is running: where it began, one archive after the other, and where it ended. It is given up by disposing of its connection. Not for
/// several threads. Failures: <c>ServerConnectionLost</c>, <c>ServerQueryFailed</c>, <c>ServerAnswerUnexpected</c>, <c>ObjectDamaged</c> (in what the server compressed).
/// </summary>
public sealed class BaseBackupStream
{
    private readonly ReplicationConnection _connection;
    private readonly CommandChannel _channel;
    private readonly WireStream _wire;
    private readonly ArchiveCursor _cursor;
    private ArchiveStep? _met; // What ended the archive that is being read.

    private BaseBackupStream(ReplicationConnection connection, CommandChannel channel, WireStream wire, Lsn start, TimelineId timeline, List<BaseBackupTablespace> tablespaces)
    {
        _connection = connection;
        _channel = channel;
        _wire = wire;
        _cursor = new ArchiveCursor(channel, wire, connection.MajorVersion >= 15, tablespaces);
        StartLsn = start;
        Timeline = timeline;
        Tablespaces = tablespaces;
    }

    /// <summary>Where the WAL of the backup begins.</summary>
    public Lsn StartLsn { get; }

    /// <summary>The timeline at the start.</summary>
    public TimelineId Timeline { get; }

    /// <summary>The tablespaces in the order in which they come; the main data directory is the last.</summary>
    public IReadOnlyList<BaseBackupTablespace> Tablespaces { get; }

    /// <summary>How the server compresses; the archives' content is plain already.</summary>
    public CompressionMethod Compression { get; private init; }

    /// <summary>Where the backup ended; null until <see cref="NextAsync"/> has returned null.</summary>
    public BaseBackupEnd? End { get; private set; }

    /// <summary>The next archive; null after the last, which is the manifest. What was not read of the one before is passed over.</summary>
    public async Task<BaseBackupArchive?> NextAsync(CancellationToken cancellationToken = default)
    {
        if (End is not null)
            return null;
        try
        {
            while (true)
            {
                ArchiveStep step = _met ?? await _cursor.MoveAsync(cancellationToken).ConfigureAwait(false);
                _met = null;
                switch (step)
                {
                    case ArchiveStep.Tablespace:
                        return new BaseBackupArchive(_cursor.Current, StreamDecoder.Open(new CopyStream(this), Compression, "the server's archive"));
                    case ArchiveStep.Manifest: // The server never compresses it.
                        return new BaseBackupArchive(null, new CopyStream(this));
                    case ArchiveStep.Finished:
                        End = await FinishAsync(cancellationToken).ConfigureAwait(false);
                        return null;
                }
            }
        }
        catch (Exception error) when (_connection.Translate(error) is { } known)
        {
            throw known;
        }
    }

    internal static async Task<BaseBackupStream> BeginAsync(
        ReplicationConnection connection, CommandChannel channel, WireStream wire, BaseBackupRequest request, CompressionMethod compression, CancellationToken cancellationToken)
    {
        await channel.SendAsync(request.ToCommand(connection.MajorVersion, compression), cancellationToken).ConfigureAwait(false);
        (Lsn start, TimelineId timeline) = Position(await channel.ReadRowsAsync(cancellationToken).ConfigureAwait(false));
        var tablespaces = new List<BaseBackupTablespace>();
        foreach (string?[] row in await channel.ReadRowsAsync(cancellationToken).ConfigureAwait(false))
            tablespaces.Add(Tablespace(row));
        if (tablespaces.Count == 0 || tablespaces.FindIndex(t => t.Oid is null) != tablespaces.Count - 1)
            throw new ProtocolViolationException("the list of tablespaces does not end with the main data directory");
        return new BaseBackupStream(connection, channel, wire, start, timeline, tablespaces) { Compression = compression };
    }

    /// <summary>Some bytes of the open archive; 0 at its end.</summary>
    internal async ValueTask<int> ReadArchiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            while (_met is null)
            {
                if (_wire.Remaining > 0)
                    return await _wire.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
                ArchiveStep step = await _cursor.MoveAsync(cancellationToken).ConfigureAwait(false);
                if (step != ArchiveStep.Data)
                    _met = step;
            }
            return 0;
        }
        catch (Exception error) when (_connection.Translate(error) is { } known)
        {
            throw known;
        }
    }

    private async Task<BaseBackupEnd> FinishAsync(CancellationToken cancellationToken)
    {
        (Lsn lsn, TimelineId timeline) = Position(await _channel.ReadRowsAsync(cancellationToken).ConfigureAwait(false));
        try
        {
            while (await _channel.NextAsync(cancellationToken).ConfigureAwait(false) != 'Z')
            {
                // CommandComplete.
            }
        }
        catch (ServerReportException error) when (error.Report.SqlState == PostgresErrorCodes.DataCorrupted)
        {
            // "checksum verification failure during base backup": all has been sent, and which pages was said in warnings.
            return new BaseBackupEnd(lsn, timeline, DamagedPages: true);
        }
        return new BaseBackupEnd(lsn, timeline, DamagedPages: false);
    }

    private static (Lsn Lsn, TimelineId Timeline) Position(List<string?[]> rows) =>
        rows is [[{ } lsn, { } timeline, ..]] && Lsn.TryParse(lsn, null, out Lsn position) && uint.TryParse(timeline, CultureInfo.InvariantCulture, out uint id)
            ? (position, new TimelineId(id))
            : throw new ProtocolViolationException("it does not say where the backup begins or ends");

    private static BaseBackupTablespace Tablespace(string?[] row)
    {
        if (row is not [var oid, var location, var size, ..])
            throw new ProtocolViolationException("the list of tablespaces has too few columns");
        uint id = 0;
        long kilobytes = 0;
        if ((oid is not null && !uint.TryParse(oid, CultureInfo.InvariantCulture, out id)) || (size is not null && !long.TryParse(size, CultureInfo.InvariantCulture, out kilobytes)))
            throw new ProtocolViolationException("the list of tablespaces cannot be read");
        return new BaseBackupTablespace(oid is null ? null : id, location, size is null ? null : kilobytes * 1024);
    }
}
