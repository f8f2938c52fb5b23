using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Repository;

namespace PgBackup.Wal.Integrity.Content;

/// <summary>How much was read.</summary>
internal readonly record struct ContentTally(long Segments, long Bytes);

/// <summary>Opens the objects of a path: several at once, each in a memory of a quarter of a megabyte and what its codec needs.</summary>
internal static class ContentCheck
{
    public static async Task<ContentTally> RunAsync(
        PlannedPath planned, WalCheckOptions options, FaultList faults, IProgress<OperationProgress> progress, CancellationToken cancellationToken)
    {
        IReadOnlyList<ReadChunk> chunks = ReadChunk.Of(planned, options);
        var reading = new Reading(planned, faults, chunks.Sum(c => c.Count), progress);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = options.ThrottleLimit, CancellationToken = cancellationToken };
        PieceTally pieces = await PieceCheck.RunAsync(reading, options, cancellationToken).ConfigureAwait(false);
        if (options.Level == WalCheckLevel.Content)
        {
            await Parallel.ForEachAsync(Numbers(chunks), parallel, async (number, token) =>
            {
                if (await SegmentContent.FindFaultAsync(reading, number, token).ConfigureAwait(false) is { } fault)
                    faults.AddSegment(number, fault.Lsn, fault.Message);
                reading.Done();
            }).ConfigureAwait(false);
        }
        else
        {
            var edges = new ChunkEdge[chunks.Count];
            await Parallel.ForAsync(0, chunks.Count, parallel, async (i, token) =>
                edges[i] = await RecordCheck.RunAsync(reading, chunks[i], token).ConfigureAwait(false)).ConfigureAwait(false);
            ChunkEdge.Compare(planned, [.. chunks, .. pieces.Chunks], [.. edges, .. pieces.Edges], faults);
        }
        await CheckNotesAsync(planned, faults, parallel).ConfigureAwait(false);
        return new ContentTally(reading.Segments + pieces.Chunks.Count, (reading.Segments * planned.Log.SegmentSize.Bytes) + pieces.Bytes);
    }

    private static IEnumerable<ulong> Numbers(IReadOnlyList<ReadChunk> chunks)
    {
        foreach (ReadChunk chunk in chunks)
        {
            for (ulong number = chunk.First; number <= chunk.Last; number++)
                yield return number;
        }
    }

    // What backups have left beside the segments: small files that a restore does not read.
    private static async Task CheckNotesAsync(PlannedPath planned, FaultList faults, ParallelOptions parallel)
    {
        WalSegmentSize size = planned.Log.SegmentSize;
        IEnumerable<ArchivedWalFile> notes = planned.Log.Inventory.BackupHistories.Where(n => n.File.Segment!.Value.NumberFor(size) is var number
            && number >= planned.First && number <= planned.Last && planned.Path.Segment(number) == n.File.Segment);
        await Parallel.ForEachAsync(notes, parallel, async (note, token) =>
        {
            if (await NoteFaultAsync(planned.Log.Repository, note, token).ConfigureAwait(false) is { } fault)
                faults.AddNote(note.File.Segment!.Value.NumberFor(size), note.File.Name, note.Object.Key, fault);
        }).ConfigureAwait(false);
    }

    private static async Task<string?> NoteFaultAsync(BackupRepository repository, ArchivedWalFile note, CancellationToken cancellationToken)
    {
        try
        {
            Stream source = await repository.OpenDecodedAsync(note.Object.Key, cancellationToken).ConfigureAwait(false);
            await using (source.ConfigureAwait(false))
            {
                using var reader = new StreamReader(source);
                char[] text = new char[WalContent.HeadSize];
                int length = await reader.ReadBlockAsync(text, cancellationToken).ConfigureAwait(false);
                BackupLabel label = BackupLabel.Parse(new string(text, 0, length));
                return label.StartSegment == note.File.Segment ? null : $"it is the note of a backup that began in {label.StartSegment}.";
            }
        }
        catch (PgBackupException error) when (error.Id is "BackupLabelInvalid" or "ObjectDamaged" or "EncryptionKeyInvalid" or "ObjectNotFound")
        {
            return error.Message;
        }
    }
}

/// <summary>What the readers of a path share.</summary>
internal sealed class Reading(PlannedPath planned, FaultList faults, long total, IProgress<OperationProgress> progress)
{
    private readonly string _activity = $"Checking {planned.Log.Repository.Location}";
    private int _version = planned.Log.Backups.Count == 0 ? 0 : planned.Log.Backups[^1].ServerVersion?.Major ?? 0;
    private long _segments;

    public PlannedPath Planned { get; } = planned;

    public FaultList Faults { get; } = faults;

    public long Segments => Interlocked.Read(ref _segments);

    /// <summary>The version that writes this log: what the backups say, else what the first segment says that is looked at.</summary>
    public int VersionOr(int seen) => Interlocked.CompareExchange(ref _version, seen, 0) is not 0 and var known ? known : seen;

    public void Done()
    {
        long done = Interlocked.Increment(ref _segments);
        progress.Report(new OperationProgress(
            _activity, $"Reading timeline {Planned.Path.History.Timeline}", done * Planned.Log.SegmentSize.Bytes, total * Planned.Log.SegmentSize.Bytes));
    }
}

/// <summary>Segments in a row that one reader takes.</summary>
internal readonly record struct ReadChunk(ulong First, ulong Last)
{
    public long Count => (long)(Last - First + 1);

    /// <summary>What is there of a path and was asked for, in order.</summary>
    public static IReadOnlyList<ReadChunk> Of(PlannedPath planned, WalCheckOptions options)
    {
        var runs = new List<ReadChunk>();
        foreach ((ulong from, ulong to) in planned.Ranges(options))
        {
            foreach (SegmentRun run in planned.Path.Scan(from, to))
            {
                if (run.IsThere)
                    AddRun(runs, planned, run, options.Since);
            }
        }
        if (options.Newest is { } newest)
            KeepNewest(runs, newest);
        var chunks = new List<ReadChunk>();
        foreach (ReadChunk run in runs)
        {
            for (ulong first = run.First; first <= run.Last; first += (ulong)options.ChunkLength)
                chunks.Add(new ReadChunk(first, Math.Min(run.Last, first + (ulong)options.ChunkLength - 1)));
        }
        return chunks;
    }

    private static void AddRun(List<ReadChunk> runs, PlannedPath planned, SegmentRun run, DateTimeOffset? since)
    {
        if (since is null)
        {
            Append(runs, run.First, run.Last);
            return;
        }
        WalInventory inventory = planned.Log.Inventory;
        // Times are kept by the minute.
        DateTimeOffset border = since.Value.AddMinutes(-1);
        for (ulong number = run.First; number <= run.Last; number++)
        {
            if (planned.Path.PlaceOf(number) is { } place && inventory.StoredTimeAt(run.Timeline, place) >= border)
                Append(runs, number, number);
        }
    }

    // Across timelines too: the chain of records goes on.
    private static void Append(List<ReadChunk> runs, ulong first, ulong last)
    {
        if (runs.Count > 0 && runs[^1].Last + 1 == first)
            runs[^1] = runs[^1] with { Last = last };
        else
            runs.Add(new ReadChunk(first, last));
    }

    private static void KeepNewest(List<ReadChunk> runs, long newest)
    {
        int kept = runs.Count;
        while (kept > 0 && newest > 0)
        {
            ReadChunk run = runs[--kept];
            if (run.Count > newest)
                runs[kept] = run with { First = run.Last - (ulong)newest + 1 };
            newest -= run.Count;
        }
        runs.RemoveRange(0, kept);
    }
}
