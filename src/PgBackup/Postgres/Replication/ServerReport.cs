using System.Text;

namespace PgBackup.Postgres.Replication;

/// <summary>
/// What a server says in an ErrorResponse or a NoticeResponse (PostgreSQL documentation, "Error and Notice Message Fields").
/// </summary>
/// <param name="Severity">ERROR, FATAL, PANIC, WARNING, NOTICE, …, never translated.</param>
/// <param name="SqlState">The five characters of the SQLSTATE.</param>
/// <param name="Message">The message in the server's language.</param>
/// <param name="Detail">More about it; null when there is no more.</param>
internal sealed record ServerReport(string Severity, string SqlState, string Message, string? Detail)
{
    /// <summary>Message and detail in one line.</summary>
    public string Text => Detail is null ? Message : $"{Message} ({Detail.Trim()})";

    /// <summary>Reads the fields of the message's body; fields that are unknown are passed over, as the documentation asks.</summary>
    public static ServerReport Parse(ReadOnlySpan<byte> body)
    {
        string severity = "ERROR", state = "XX000", message = "";
        string? detail = null;
        while (body.Length > 1 && body[0] != 0)
        {
            byte field = body[0];
            body = body[1..];
            int end = body.IndexOf((byte)0);
            if (end < 0)
                break;
            string text = Encoding.UTF8.GetString(body[..end]);
            body = body[(end + 1)..];
            switch (field)
            {
                case (byte)'V':
                    severity = text;
                    break;
                case (byte)'C':
                    state = text;
                    break;
                case (byte)'M':
                    message = text;
                    break;
                case (byte)'D':
                    detail = text;
                    break;
            }
        }
        return new ServerReport(severity, state, message, detail);
    }
}

/// <summary>A server's error on its way to the place that knows what it means for the user.</summary>
internal sealed class ServerReportException(ServerReport report) : Exception(report.Text)
{
    /// <summary>What the server said.</summary>
    public ServerReport Report { get; } = report;
}

/// <summary>An answer that the protocol does not allow at this point.</summary>
internal sealed class ProtocolViolationException(string message) : Exception(message);
