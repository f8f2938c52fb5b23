namespace PgBackup.Postgres.Replication;

/// <summary>What comes next in the COPY part of a base backup.</summary>
internal enum ArchiveStep
{
    /// <summary>Bytes of the open archive.</summary>
    Data,

    /// <summary>A tablespace's archive begins.</summary>
    Tablespace,

    /// <summary>The manifest begins.</summary>
    Manifest,

    /// <summary>The open archive ends, without word of the next.</summary>
    ArchiveEnd,

    /// <summary>There are no more archives.</summary>
    Finished,
}

/// <summary>
/// Walks through the COPY part. From version 15 on one COPY carries messages with a type byte (new archive, manifest, data, progress); before, each archive has
/// a COPY of its own, in the order of the tablespaces, the manifest last (PostgreSQL documentation, "Streaming Replication Protocol", BASE_BACKUP).
/// </summary>
internal sealed class ArchiveCursor(CommandChannel channel, WireStream wire, bool typed, IReadOnlyList<BaseBackupTablespace> tablespaces)
{
    private readonly byte[] _type = new byte[1];
    private int _begun;
    private bool _copying;

    /// <summary>The tablespace of the step <see cref="ArchiveStep.Tablespace"/>.</summary>
    public BaseBackupTablespace Current => tablespaces[_begun - 1];

    /// <summary>Moves on. After <see cref="ArchiveStep.Data"/> the bytes are what remains of the open message.</summary>
    public async ValueTask<ArchiveStep> MoveAsync(CancellationToken cancellationToken)
    {
        if (!_copying)
        {
            if (!typed && _begun > tablespaces.Count)
                return ArchiveStep.Finished;
            await channel.RequireAsync('H', cancellationToken).ConfigureAwait(false);
            await wire.ReadBodyAsync(cancellationToken).ConfigureAwait(false); // Formats of columns; what remains of a message is taken for data.
            _copying = true;
            if (!typed)
                return Begin();
        }
        while (true)
        {
            char message = await channel.NextAsync(cancellationToken).ConfigureAwait(false);
            if (message == 'c')
            {
                _copying = false;
                if (typed && _begun <= tablespaces.Count)
                    throw new ProtocolViolationException("the backup ended before its manifest");
                return typed ? ArchiveStep.Finished : ArchiveStep.ArchiveEnd;
            }
            if (message != 'd')
                throw new ProtocolViolationException($"a message of type '{message}' came within a COPY");
            if (!typed)
                return ArchiveStep.Data;
            if (await wire.ReadAsync(_type, cancellationToken).ConfigureAwait(false) == 0)
                throw new ProtocolViolationException("a message of a base backup is empty");
            switch ((char)_type[0])
            {
                case 'd' when _begun > 0:
                    return ArchiveStep.Data;
                case 'p':
                    break;
                case 'n' when _begun < tablespaces.Count:
                    byte[] body = await wire.ReadBodyAsync(cancellationToken).ConfigureAwait(false);
                    RequireName(new MessageReader(body).Text());
                    return Begin();
                case 'm' when _begun == tablespaces.Count:
                    if (wire.Remaining > 0) // It would be taken for the manifest's content.
                        throw new ProtocolViolationException("the message that begins the manifest has a content");
                    return Begin();
                case var other:
                    throw new ProtocolViolationException($"a message of type '{other}' came within a base backup");
            }
        }
    }

    private ArchiveStep Begin() => ++_begun > tablespaces.Count ? ArchiveStep.Manifest : ArchiveStep.Tablespace;

    private void RequireName(string name)
    {
        string expected = tablespaces[_begun].Oid is { } oid ? $"{oid}.tar" : "base.tar";
        if (!name.StartsWith(expected, StringComparison.Ordinal))
            throw new ProtocolViolationException($"the archive '{name}' came in place of '{expected}'");
    }
}
