using PgBackup.Errors;
using PgBackup.Postgres.WalRecords;
using PgBackup.Repository;
using PgBackup.Repository.Pieces;

namespace PgBackup.Wal.Integrity.Content;

/// <summary>
/// What the first and the last record of a chunk tell, so that chunks that were read side by side can be joined. Null where a fault or the end of the log lies between.
/// </summary>
/// <param name="Previous">Where the first record says that the one before it starts; null when none starts in the chunk, or it was not reached.</param>
/// <param name="Last">Where the last record starts; null when none does, or the end was not reached.</param>
/// <param name="IsWhole">Whether the chunk was read from one end to the other.</param>
internal readonly record struct ChunkEdge(Lsn? Previous, Lsn? Last, bool IsWhole)
{
    /// <summary>Compares neighbours: a whole stretch of log may have been exchanged for another that is good in itself.</summary>
    public static void Compare(PlannedPath planned, IReadOnlyList<ReadChunk> chunks, ChunkEdge[] edges, FaultList faults)
    {
        Lsn? last = null;
        for (int i = 0; i < chunks.Count; i++)
        {
            if (i > 0 && (chunks[i - 1].Last + 1 != chunks[i].First || !edges[i - 1].IsWhole))
                last = null;
            if (last is { } expected && edges[i].Previous is { } told && told != expected)
            {
                Lsn start = planned.Log.SegmentSize.StartOf(chunks[i].First);
                faults.AddSegment(chunks[i].First, start, $"its first record follows one at {told}, but the log before it ends with one at {expected}.");
            }
            last = edges[i].Last ?? (edges[i].IsWhole ? last : null);
        }
    }
}

/// <summary>Reads every record of a chunk: checksums, and that each follows the one before.</summary>
internal static class RecordCheck
{
    public static async Task<ChunkEdge> RunAsync(Reading reading, ReadChunk chunk, CancellationToken cancellationToken)
    {
        PlannedPath planned = reading.Planned;
        WalSegmentSize size = planned.Log.SegmentSize;
        var source = new ChunkSource(reading, chunk);
        Lsn? previous = null, last = null;
        bool isWhole = true;
        ulong next = chunk.First;
        while (next <= chunk.Last)
        {
            var options = new WalReadOptions
            {
                SegmentSize = size,
                History = planned.Path.History,
                Start = size.StartOf(next),
                StopAt = size.StartOf(chunk.Last + 1),
                SystemIdentifier = planned.Log.SystemIdentifier,
                Kinds = WalRecordKinds.None,
            };
            var reader = new WalRecordReader(source, options);
            await using (reader.ConfigureAwait(false))
            {
                ulong? faulty = await ReadAsync(reading, reader, source, chunk, cancellationToken).ConfigureAwait(false);
                if (next == chunk.First)
                    previous = reader.FirstPrevious;
                if (faulty is null)
                {
                    isWhole &= reader.End?.Kind == WalEndKind.StopReached;
                    last = reader.LastStart.IsZero ? null : reader.LastStart;
                    break;
                }
                isWhole = false;
                next = Math.Max(faulty.Value, next) + 1;
            }
        }
        source.Finish();
        return new ChunkEdge(previous, isWhole ? last : null, isWhole);
    }

    /// <summary>Reads to the end of the chunk, or to a fault: then the number of its segment.</summary>
    private static async Task<ulong?> ReadAsync(Reading reading, WalRecordReader reader, ChunkSource source, ReadChunk chunk, CancellationToken cancellationToken)
    {
        try
        {
            await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id is "ObjectDamaged" or "EncryptionKeyInvalid" or "ObjectNotFound")
        {
            reading.Faults.AddSegment(source.Number, reading.Planned.Log.SegmentSize.StartOf(source.Number), error.Message);
            return source.Number;
        }
        WalEnd end = reader.End!;
        ulong number = end.Segment.NumberFor(reading.Planned.Log.SegmentSize);
        if (end.Kind == WalEndKind.StopReached)
            return await CheckTailAsync(reading, reader, chunk, cancellationToken).ConfigureAwait(false);
        // In pieces a record that goes on from the chunk may end where they do.
        if (number > chunk.Last && (end.Kind == WalEndKind.SegmentMissing || (end.Kind != WalEndKind.Damaged && reading.Planned.Path.TailAt(number) is not null)))
            return null;
        bool isNewest = number >= (reading.Planned.Path.LastNumber ?? 0);
        if (isNewest && end.Kind is WalEndKind.SegmentMissing)
            return null;
        if (isNewest && end.Kind is WalEndKind.Torn or WalEndKind.EndOfWal)
        {
            if (SegmentContent.FindCutBackup(reading.Planned, number, end.Position) is { } cut)
            {
                reading.Faults.AddSegment(number, end.Position, cut);
                return number;
            }
            if (end.Kind == WalEndKind.EndOfWal)
                reading.Faults.AddSegment(number, end.Position, $"the log ends at {end.Position}, within a segment that was archived whole: the server stopped there, or the rest was lost.", isFailure: false);
            else
                reading.Faults.AddSegment(number, end.Position, $"{end.Message} Nothing follows: a crash leaves this, and so does damage to the very last record.", isFailure: false);
            return null;
        }
        // The pages often tell more than the record that could not be read.
        (Lsn Lsn, string Message) fault = reading.Planned.Log.Inventory.Contains(reading.Planned.Path.Segment(number))
            && await SegmentContent.FindFaultAsync(reading, number, cancellationToken).ConfigureAwait(false) is { } found ? found : (end.Position, end.Message);
        reading.Faults.AddSegment(number, fault.Lsn, fault.Message);
        return number;
    }

    // Behind a switch the reader is at the chunk's end without having seen the rest of the object.
    private static async Task<ulong?> CheckTailAsync(Reading reading, WalRecordReader reader, ReadChunk chunk, CancellationToken cancellationToken)
    {
        if (reader.Position > reading.Planned.Log.SegmentSize.StartOf(chunk.Last + 1)
            || await SegmentContent.FindFaultAsync(reading, chunk.Last, cancellationToken).ConfigureAwait(false) is not { } fault)
            return null;
        reading.Faults.AddSegment(chunk.Last, fault.Lsn, fault.Message);
        return chunk.Last;
    }

    /// <summary>The segments of a path; remembers which was opened last, and counts them as it goes.</summary>
    private sealed class ChunkSource(Reading reading, ReadChunk chunk) : IWalSegmentSource
    {
        private readonly ArchivedWalSource _source = new(reading.Planned.Log.Repository, reading.Planned.Log.Inventory);
        private ulong _counted = chunk.First;

        public ulong Number { get; private set; } = chunk.First;

        public async Task<Stream?> OpenAsync(WalSegmentName segment, CancellationToken cancellationToken)
        {
            Number = segment.NumberFor(reading.Planned.Log.SegmentSize);
            CountTo(Math.Min(Number, chunk.Last + 1));
            try
            {
                return await _source.OpenAsync(segment, cancellationToken).ConfigureAwait(false);
            }
            catch (PgBackupException error) when (Number > chunk.Last && (WalPieceReader.IsShort(error) || error.Id == "ObjectNotFound"))
            {
                // Told by who reads that one.
                return null;
            }
        }

        public void Finish() => CountTo(chunk.Last + 1);

        private void CountTo(ulong number)
        {
            for (; _counted < number; _counted++)
                reading.Done();
        }
    }
}
