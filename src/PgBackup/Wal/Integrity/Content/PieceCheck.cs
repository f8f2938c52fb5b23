using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Postgres.WalRecords;
using PgBackup.Repository;
using PgBackup.Repository.Pieces;

namespace PgBackup.Wal.Integrity.Content;

/// <summary>What was read of segments that are there in pieces.</summary>
internal sealed class PieceTally
{
    /// <summary>The segments that could be put together, a chunk each, in order.</summary>
    public List<ReadChunk> Chunks { get; } = [];

    /// <summary>What their first and last records tell; only where records were read.</summary>
    public List<ChunkEdge> Edges { get; } = [];

    /// <summary>The bytes that pieces held.</summary>
    public long Bytes { get; set; }
}

/// <summary>Puts the segments of a path that are there in pieces together as a restore does, and looks at what comes out of it.</summary>
internal static class PieceCheck
{
    public static async Task<PieceTally> RunAsync(Reading reading, WalCheckOptions options, CancellationToken cancellationToken)
    {
        var tally = new PieceTally();
        PlannedPath planned = reading.Planned;
        foreach (PathTail tail in planned.Path.Tails)
        {
            if (tail.Number >= planned.First && tail.Number <= planned.Last && !(tail.Tail.Modified < options.Since))
                await CheckAsync(reading, tail, options.Level, tally, cancellationToken).ConfigureAwait(false);
        }
        return tally;
    }

    private static async Task CheckAsync(Reading reading, PathTail tail, WalCheckLevel level, PieceTally tally, CancellationToken cancellationToken)
    {
        ClusterLog log = reading.Planned.Log;
        Lsn start = log.SegmentSize.StartOf(tail.Number);
        FileStream content = NamelessFile.Open();
        await using (content.ConfigureAwait(false))
        {
            WalPiecePrefix? held = null;
            PgBackupException? fault = null;
            try
            {
                held = await WalPieceReader.AssembleAsync(log.Repository, tail.Tail.SystemIdentifier, tail.Segment, content.SafeFileHandle, OperationLog.None, cancellationToken).ConfigureAwait(false);
                fault = held?.Fault;
            }
            catch (PgBackupException error) when (WalPieceReader.IsShort(error))
            {
                fault = error;
            }
            if (fault is not null || held is not { Promised: >= WalPageHeader.LongSize, Size: { } size })
            {
                // A receiver that has got on since the archive was listed has stored the whole segment before it deleted the pieces.
                if (WalFileName.TryParse(tail.Segment.ToString(), out WalFileName? file)
                    && (await WalArchive.FindAsync(log.Repository, file, cancellationToken).ConfigureAwait(false)).Count == 0)
                {
                    reading.Faults.AddSegment(
                        tail.Number, start + (ulong)(held?.End ?? 0), fault?.Message ?? "its pieces have gone since the archive was listed, and it is not there whole.",
                        isFailure: fault?.Id != "ObjectChanged");
                }
                return;
            }
            if (size != log.SegmentSize)
            {
                reading.Faults.AddSegment(tail.Number, start, $"its pieces say that segments have {size}; those of this cluster have {log.SegmentSize}.");
                return;
            }
            tally.Chunks.Add(new ReadChunk(tail.Number, tail.Number));
            tally.Bytes += held.Value.End;
            tally.Edges.Add(await CheckContentAsync(reading, tail, level, content, cancellationToken).ConfigureAwait(false));
        }
    }

    private static async Task<ChunkEdge> CheckContentAsync(Reading reading, PathTail tail, WalCheckLevel level, FileStream content, CancellationToken cancellationToken)
    {
        try
        {
            RandomAccess.SetLength(content.SafeFileHandle, reading.Planned.Log.SegmentSize.Bytes);
            content.Position = 0;
            if (await SegmentContent.FindFaultAsync(reading, tail, content, cancellationToken).ConfigureAwait(false) is { } fault)
            {
                reading.Faults.AddSegment(tail.Number, fault.Lsn, fault.Message);
                return default;
            }
            content.Position = 0;
            return level == WalCheckLevel.Records ? await ReadRecordsAsync(reading, tail, content, cancellationToken).ConfigureAwait(false) : default;
        }
        catch (IOException error)
        {
            throw PgErrors.WalSpoolFailed(Path.GetTempPath(), error);
        }
    }

    // What was received is verified by its own checksum, so that a record that is not whole is one that the pieces end in; one that more log follows is damaged.
    private static async Task<ChunkEdge> ReadRecordsAsync(Reading reading, PathTail tail, FileStream content, CancellationToken cancellationToken)
    {
        PlannedPath planned = reading.Planned;
        var options = new WalReadOptions
        {
            SegmentSize = planned.Log.SegmentSize,
            History = planned.Path.History,
            Start = planned.Log.SegmentSize.StartOf(tail.Number),
            SystemIdentifier = planned.Log.SystemIdentifier,
            Kinds = WalRecordKinds.None,
        };
        var reader = new WalRecordReader(new OneSegment(tail.Segment, content), options);
        await using (reader.ConfigureAwait(false))
        {
            await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            WalEnd end = reader.End!;
            bool isWhole = end.Kind == WalEndKind.SegmentMissing;
            if (end.Kind == WalEndKind.Damaged)
                reading.Faults.AddSegment(tail.Number, end.Position, end.Message);
            else if (!isWhole && SegmentContent.FindCutBackup(planned, tail.Number, end.Position) is { } cut)
                reading.Faults.AddSegment(tail.Number, end.Position, cut);
            return new ChunkEdge(reader.FirstPrevious, isWhole && !reader.LastStart.IsZero ? reader.LastStart : null, isWhole);
        }
    }

    private sealed class OneSegment(WalSegmentName name, Stream content) : IWalSegmentSource
    {
        public Task<Stream?> OpenAsync(WalSegmentName segment, CancellationToken cancellationToken) => Task.FromResult(segment == name ? content : null);
    }
}
