using System.Text;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.Replication;
using PgBackup.Repository;
using PgBackup.Wal.Push;

namespace PgBackup.Wal.Receiving;

/// <summary>Learns the history of timelines from the server, and stores the files before any WAL of them is stored.</summary>
internal sealed class HistoryKeeper(BackupRepository repository, WalPush push, string folder, Action<ReceivedWal> tell, IOperationLog log)
{
    private readonly StorePatience _patience = new(log);

    // What this run has learned and stored. That a name is in the archive says nothing: another cluster or another server may have stored it.
    private readonly Dictionary<TimelineId, TimelineHistory> _learned = [];

    /// <summary>The history of a timeline that the server is on; its file, and those of its ancestors, are in the archive afterwards. Throws <c>TimelineHistoryMissing</c>,
    /// and <c>WalContentConflict</c> when the archive, or the server at an earlier look, has another past for it.</summary>
    public async Task<TimelineHistory> LearnAsync(ReplicationConnection connection, TimelineId timeline, CancellationToken cancellationToken)
    {
        if (timeline == TimelineId.First)
            return TimelineHistory.WithoutAncestors(timeline);
        byte[] content = await connection.ReadTimelineHistoryFileAsync(timeline, cancellationToken).ConfigureAwait(false)
            ?? throw PgErrors.TimelineHistoryMissing(connection.Server, timeline);
        var history = TimelineHistory.Parse(timeline, Encoding.UTF8.GetString(content));
        RequireSame(connection.Server, history);
        foreach (TimelineSpan span in history.Path)
        {
            if (span.Timeline == TimelineId.First || _learned.ContainsKey(span.Timeline))
                continue;
            // Of an ancestor the server may have lost it; that one's WAL is not received.
            byte[]? file = span.Timeline == timeline ? content : await connection.ReadTimelineHistoryFileAsync(span.Timeline, cancellationToken).ConfigureAwait(false);
            if (file is not null)
                await StoreAsync(connection.Server, span.Timeline, file, cancellationToken).ConfigureAwait(false);
            _learned[span.Timeline] = Until(history, span.Timeline);
        }
        return history;
    }

    /// <summary>Two servers that were promoted side by side have timelines of one number and two pasts.</summary>
    private void RequireSame(string server, TimelineHistory history)
    {
        foreach (TimelineSpan span in history.Path)
        {
            if (_learned.TryGetValue(span.Timeline, out TimelineHistory? before) && !Until(history, span.Timeline).Path.SequenceEqual(before.Path))
                throw PgErrors.TimelineHistoryDiffers(server, repository.Location, span.Timeline);
        }
    }

    private static TimelineHistory Until(TimelineHistory history, TimelineId timeline) =>
        history.Timeline == timeline ? history : TimelineHistory.Of(timeline, [.. history.Switches.TakeWhile(s => s.Parent < timeline)]);

    private async Task StoreAsync(string server, TimelineId timeline, byte[] content, CancellationToken cancellationToken)
    {
        string path = Path.Combine(folder, timeline.HistoryFileName);
        DateTimeOffset received = DateTimeOffset.UtcNow;
        try
        {
            await File.WriteAllBytesAsync(path, content, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.WalSpoolFailed(folder, error);
        }
        WalPushResult pushed = await _patience.RunAsync(
            token => push.PushAsync(path, token), $"The history of timeline {timeline}", cancellationToken).ConfigureAwait(false);
        File.Delete(path);
        // Each run stores them anew.
        if (pushed.Status == WalPushStatus.AlreadyStored)
            return;
        tell(new ReceivedWal
        {
            Name = timeline.HistoryFileName,
            Kind = WalFileKind.History,
            Timeline = timeline,
            Status = pushed.Status == WalPushStatus.Replaced ? ReceivedWalStatus.Replaced : ReceivedWalStatus.Stored,
            Size = content.Length,
            ReceivedTime = received,
            StoredTime = DateTimeOffset.UtcNow,
            Duration = pushed.Duration,
            Server = server,
            Repository = repository.Location,
            Key = pushed.Key,
        });
    }
}
