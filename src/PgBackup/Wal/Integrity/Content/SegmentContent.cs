using System.Buffers;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.WalRecords;
using PgBackup.Repository;

namespace PgBackup.Wal.Integrity.Content;

/// <summary>
/// What one object holds: whether it opens, has the size of a segment, and every page belongs where it is (PostgreSQL source: xlog_internal.h, xlogreader.c "XLogReaderValidatePageHeader").
/// </summary>
internal static class SegmentContent
{
    private const int PageSize = WalPageHeader.PageSize;
    private const int BufferSize = 32 * PageSize;

    /// <summary>The first thing that is wrong; null when nothing is.</summary>
    public static async Task<(Lsn Lsn, string Message)?> FindFaultAsync(Reading reading, ulong number, CancellationToken cancellationToken)
    {
        PlannedPath planned = reading.Planned;
        WalSegmentName segment = planned.Path.Segment(number);
        Lsn start = planned.Log.SegmentSize.StartOf(number);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            string key = planned.Log.Inventory.KeyOf(segment)!;
            Stream content = await planned.Log.Repository.OpenDecodedAsync(key, cancellationToken).ConfigureAwait(false);
            await using (content.ConfigureAwait(false))
                return await ReadAsync(reading, segment, start, content, buffer.AsMemory(0, BufferSize), cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id is "ObjectDamaged" or "EncryptionKeyInvalid" or "ObjectNotFound")
        {
            return (start, error.Message);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>The same of a segment that was put together from its pieces, zeros behind their end.</summary>
    public static async Task<(Lsn Lsn, string Message)?> FindFaultAsync(Reading reading, PathTail tail, Stream content, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            Lsn start = reading.Planned.Log.SegmentSize.StartOf(tail.Number);
            return await ReadAsync(reading, tail.Segment, start, content, buffer.AsMemory(0, BufferSize), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Says which backup of the path ends in the segment, but behind where the log ends; null when none does.</summary>
    public static string? FindCutBackup(PlannedPath planned, ulong number, Lsn end)
    {
        foreach (ClusterBackup backup in planned.Backups)
        {
            if (backup.FinishLsn!.Value > end && planned.Path.NumberBefore(backup.FinishLsn.Value) == number)
                return $"the log ends at {end}, and the backup {backup.Name} needs it up to {backup.FinishLsn}.";
        }
        return null;
    }

    private static async Task<(Lsn Lsn, string Message)?> ReadAsync(
        Reading reading, WalSegmentName segment, Lsn start, Stream content, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        ClusterLog log = reading.Planned.Log;
        int size = log.SegmentSize.Bytes;
        var pages = new PageSeries(reading, segment, start);
        long total = 0;
        int read;
        while ((read = await content.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false)) > 0)
        {
            if (total == 0 && FindHeadFault(reading, segment, buffer.Span[..read]) is { } foreign)
                return (start, foreign);
            if (total + read > size)
                return (start + (ulong)size, $"it is longer than a segment of {size} bytes.");
            if (pages.Check(buffer.Span[..(read / PageSize * PageSize)]) is { } fault)
                return fault;
            total += read;
        }
        if (total == size && pages.ZeroFrom is { } zero)
            return FindCutBackup(reading.Planned, log.SegmentSize.SegmentNumberOf(start), zero) is { } cut ? (zero, cut) : null;
        return total == size ? null : (start + (ulong)(total / PageSize * PageSize), total == 0 ? "it is empty." : $"it has {total} bytes, a segment has {size}.");
    }

    private static string? FindHeadFault(Reading reading, WalSegmentName segment, ReadOnlySpan<byte> head)
    {
        ClusterLog log = reading.Planned.Log;
        WalFileName.TryParse(segment.ToString(), out WalFileName? file);
        WalSegmentHeader? header = WalSegmentHeader.TryRead(head);
        if (header is not null && log.SystemIdentifier is { } own && header.SystemIdentifier != own)
            return $"it was written by the cluster {header.SystemIdentifier}, not by {own}.";
        if (WalContent.FindFault(file!, head, header?.SegmentSize.Bytes ?? head.Length, out _) is { } fault)
            return fault;
        if (header!.SegmentSize != log.SegmentSize)
            return $"its first page says that segments have {header.SegmentSize}; those of this cluster have {log.SegmentSize}.";
        int version = reading.VersionOr(header.MajorVersion);
        return header.MajorVersion == version ? null : $"PostgreSQL {header.MajorVersion} wrote it, and the rest of this log PostgreSQL {version}.";
    }

    /// <summary>The pages of a segment, in order. Behind a switch a segment is zero to its end; nowhere else is a page zero.</summary>
    private sealed class PageSeries
    {
        private readonly WalPageCheck _check;
        private readonly WalSegmentName _segment;
        private Lsn _address;
        private Lsn? _zeroFrom;

        public PageSeries(Reading reading, WalSegmentName segment, Lsn start)
        {
            PlannedPath planned = reading.Planned;
            // Where a parent's segment stands in, its own history tells what may be in it.
            TimelineHistory history = planned.Path.StandsIn(segment.NumberFor(planned.Log.SegmentSize)) ? planned.Log.HistoryOf(segment.Timeline) : planned.Path.History;
            _segment = segment;
            _address = start;
            _check = new WalPageCheck(new WalReadOptions
            {
                SegmentSize = planned.Log.SegmentSize,
                History = history,
                Start = start,
                SystemIdentifier = planned.Log.SystemIdentifier,
            });
        }

        /// <summary>From where on there are zeros only; null when the last page that was seen has something.</summary>
        public Lsn? ZeroFrom => _zeroFrom;

        public (Lsn Lsn, string Message)? Check(ReadOnlySpan<byte> pages)
        {
            for (; pages.Length > 0; pages = pages[PageSize..], _address += PageSize)
            {
                ReadOnlySpan<byte> page = pages[..PageSize];
                if (!page.ContainsAnyExcept((byte)0))
                {
                    _zeroFrom ??= _address;
                    continue;
                }
                if (_zeroFrom is { } zero)
                    return (zero, $"the page at {zero} is all zero, though the log goes on at {_address}.");
                WalPageHeader header = WalPageHeader.Read(page);
                if (_check.Check(header, page, _address, _segment) is var (_, detail))
                    return (_address, $"the page at {_address} is not valid: {detail}.");
            }
            return null;
        }
    }
}
