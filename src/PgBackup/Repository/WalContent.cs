using System.Text;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.WalRecords;

namespace PgBackup.Repository;

/// <summary>
/// What a WAL file must look like to be the one that its name says. Segments are judged by the header of their first page (PostgreSQL
/// source: xlog_internal.h), the small text files by their text.
/// </summary>
internal static class WalContent
{
    /// <summary>How many bytes from the start of a file are enough to judge a segment, and the most that a text file has.</summary>
    public const int HeadSize = 64 * 1024;

    /// <summary>
    /// Says why this is not the file; null when it is. <paramref name="header"/> is what a segment's first page says, null for text files.
    /// </summary>
    /// <param name="file">The name.</param>
    /// <param name="head">The first bytes: <see cref="HeadSize"/>, or all when there are fewer.</param>
    /// <param name="length">The length of the whole file in bytes.</param>
    /// <param name="header">What the first page says.</param>
    public static string? FindFault(WalFileName file, ReadOnlySpan<byte> head, long length, out WalSegmentHeader? header)
    {
        header = null;
        if (file.Kind is WalFileKind.History or WalFileKind.BackupHistory)
            return FindTextFault(file, head, length);
        header = WalSegmentHeader.TryRead(head);
        if (header is null)
            return "its first page is not that of a WAL segment of PostgreSQL 13 to 18.";
        if (file.Kind == WalFileKind.Segment && length != header.SegmentSize.Bytes)
            return $"it has {length} bytes, but its first page says that segments have {header.SegmentSize.Bytes}.";
        // pg_receivewal fills up to the whole size, others stop where the server did.
        if (length > header.SegmentSize.Bytes || length % WalPageHeader.PageSize != 0)
            return $"it has {length} bytes, which is no part of a segment of {header.SegmentSize.Bytes}.";
        WalSegmentName name = WalSegmentName.Of(file.Timeline, header.SegmentNumber, header.SegmentSize);
        if (name != file.Segment)
            return $"its first page has the address {header.Page.Address}, which belongs into {name}.";
        // The first segment of a timeline begins with a copy of its parent's pages (xlog.c, XLogInitNewTimeline), never with a later one's.
        if (header.Page.Timeline > file.Timeline)
            return $"its first page is of timeline {header.Page.Timeline}, later than that of its name.";
        return null;
    }

    private static string? FindTextFault(WalFileName file, ReadOnlySpan<byte> head, long length)
    {
        if (length == 0)
            return "it is empty.";
        if (length > HeadSize && file.Kind == WalFileKind.BackupHistory)
            return $"it has {length} bytes, and such files are small.";
        // What a crash leaves of a file that was not synced.
        if (head.Contains((byte)0))
            return "it holds zero bytes.";
        if (file.Kind == WalFileKind.BackupHistory)
            return head.StartsWith("START WAL LOCATION: "u8) ? null : "it does not begin with START WAL LOCATION.";
        if (length > HeadSize)
            return null; // Thousands of timelines: the server will judge the rest.
        try
        {
            return TimelineHistory.Parse(file.Timeline, Encoding.UTF8.GetString(head)).Switches.Count == 0 ? "it names no parent timeline." : null;
        }
        catch (PgBackupException error) when (error.Id == "TimelineHistoryInvalid")
        {
            return error.Message;
        }
    }
}
