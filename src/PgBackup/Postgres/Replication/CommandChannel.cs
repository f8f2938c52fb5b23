using System.Text;

namespace PgBackup.Postgres.Replication;

/// <summary>Commands and their answers in the simple query protocol. An error is thrown once the server is ready again.</summary>
internal sealed class CommandChannel(WireStream wire, IOperationLog log)
{
    /// <summary>True from the sending of a command until the server is ready for the next.</summary>
    public bool IsBusy { get; private set; }

    /// <summary>Sends a command.</summary>
    public async Task SendAsync(string command, CancellationToken cancellationToken)
    {
        log.Debug($"Replication command: {command}");
        IsBusy = true;
        await wire.SendAsync('Q', Encoding.UTF8.GetBytes(command + "\0"), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Opens the next message that is about the command: what the server says beside it goes into the log, an error is thrown when the server is ready again
    /// (or gone). Ready itself is returned as <c>Z</c>.
    /// </summary>
    public async ValueTask<char> NextAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            char type = await wire.NextAsync(cancellationToken).ConfigureAwait(false);
            switch (type)
            {
                case 'd': // The most frequent by far.
                    return type;
                case 'N':
                    Tell(ServerReport.Parse(await wire.ReadBodyAsync(cancellationToken).ConfigureAwait(false)));
                    break;
                case 'S' or 'A':
                    break;
                case 'E':
                    throw await FailureAsync(cancellationToken).ConfigureAwait(false);
                case 'Z':
                    IsBusy = false;
                    return type;
                default:
                    return type;
            }
        }
    }

    /// <summary>Opens the next message, which must be of this type.</summary>
    public async ValueTask RequireAsync(char type, CancellationToken cancellationToken)
    {
        char came = await NextAsync(cancellationToken).ConfigureAwait(false);
        if (came != type)
            throw new ProtocolViolationException($"a message of type '{came}' came in place of '{type}'");
    }

    /// <summary>Reads one result set: a description, rows, the end.</summary>
    public async Task<List<string?[]>> ReadRowsAsync(CancellationToken cancellationToken)
    {
        await RequireAsync('T', cancellationToken).ConfigureAwait(false);
        return await ReadRowsAfterDescriptionAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Reads the rows of a result set whose description was met already.</summary>
    public async Task<List<string?[]>> ReadRowsAfterDescriptionAsync(CancellationToken cancellationToken)
    {
        var rows = new List<string?[]>();
        while (true)
        {
            switch (await NextAsync(cancellationToken).ConfigureAwait(false))
            {
                case 'D':
                    byte[] body = await wire.ReadBodyAsync(cancellationToken).ConfigureAwait(false);
                    rows.Add(new MessageReader(body).Row());
                    break;
                case 'C':
                    return rows;
                case var other:
                    throw new ProtocolViolationException($"a message of type '{other}' came within a result");
            }
        }
    }

    /// <summary>Runs a command that has one result set.</summary>
    public async Task<List<string?[]>> QueryAsync(string command, CancellationToken cancellationToken)
    {
        await SendAsync(command, cancellationToken).ConfigureAwait(false);
        List<string?[]> rows = await ReadRowsAsync(cancellationToken).ConfigureAwait(false);
        while (await NextAsync(cancellationToken).ConfigureAwait(false) != 'Z')
        {
            // A second CommandComplete for the command itself.
        }
        return rows;
    }

    /// <summary>Runs a command that has one row; the bytes of its last field, null where it has none.</summary>
    public async Task<byte[]?> QueryLastFieldAsync(string command, CancellationToken cancellationToken)
    {
        await SendAsync(command, cancellationToken).ConfigureAwait(false);
        await RequireAsync('T', cancellationToken).ConfigureAwait(false);
        byte[]? field = null;
        while (true)
        {
            switch (await NextAsync(cancellationToken).ConfigureAwait(false))
            {
                case 'D':
                    byte[] body = await wire.ReadBodyAsync(cancellationToken).ConfigureAwait(false);
                    field = new MessageReader(body).LastField();
                    break;
                case 'Z':
                    return field;
            }
        }
    }

    private async Task<ServerReportException> FailureAsync(CancellationToken cancellationToken)
    {
        var failure = new ServerReportException(ServerReport.Parse(await wire.ReadBodyAsync(cancellationToken).ConfigureAwait(false)));
        if (failure.Report.Severity is "FATAL" or "PANIC")
            return failure; // The server closes the connection and sends nothing more.
        while (await wire.NextAsync(cancellationToken).ConfigureAwait(false) != 'Z')
        {
            // What else was on its way.
        }
        IsBusy = false;
        return failure;
    }

    private void Tell(ServerReport report) => log.Write(report.Severity == "WARNING" ? LogLevel.Warning : LogLevel.Verbose, $"The server says: {report.Text}");
}
