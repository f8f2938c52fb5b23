using System.Globalization;
using System.Text.Json;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Storage;

namespace PgBackup.Wal.Integrity;

/// <summary>
/// The gaps of the archive that are known and cannot be closed any more, with who said so, when and why: one small object each below <c>pgbackup_v1/wal_gaps/</c>.
/// </summary>
public static class GapRegister
{
    /// <summary>The folder, with its slash.</summary>
    internal const string Folder = RepositoryLayout.PrivateFolder + "wal_gaps/";

    private const int MaxReason = 2000;

    /// <summary>
    /// Records that a gap is known; recorded again, the newer record holds. Returns the range as it is from now on. Throws <c>WalGapNotAcknowledged</c> for a range that is there,
    /// and what proving the key throws.
    /// </summary>
    /// <param name="repository">The repository.</param>
    /// <param name="range">A range of missing segments.</param>
    /// <param name="reason">Why it is missing and cannot be brought back.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task<WalSegmentRange> AcknowledgeAsync(
        BackupRepository repository, WalSegmentRange range, string reason, CancellationToken cancellationToken = default)
    {
        if (!range.IsGap)
            throw PgErrors.WalGapNotAcknowledged(range.ToString(), "they are there.");
        if (string.IsNullOrWhiteSpace(reason) || reason.Length > MaxReason)
            throw PgErrors.WalGapNotAcknowledged(range.ToString(), $"a reason of 1 to {MaxReason} characters must be given.");
        await RepositoryEncryption.ProveForWritingAsync(repository, cancellationToken).ConfigureAwait(false);
        var size = new WalSegmentSize(checked((int)((range.EndLsn - range.StartLsn) / range.Count)));
        var gap = new KnownGap
        {
            SystemIdentifier = range.SystemIdentifier ?? 0,
            Timeline = range.Timeline.Value,
            First = range.First.NumberFor(size),
            Last = range.Last.NumberFor(size),
            SegmentSize = size.Bytes,
            By = $"{Environment.UserName}@{Environment.MachineName}",
            Time = DateTimeOffset.UtcNow,
            Reason = reason.Trim(),
        };
        byte[] content = JsonSerializer.SerializeToUtf8Bytes(gap, KnownGapJson.Default.KnownGap);
        await repository.Store.PutAsync(KeyOf(gap), content, PutCondition.None, cancellationToken).ConfigureAwait(false);
        return range with { State = WalSegmentState.Acknowledged, AcknowledgedBy = gap.By, AcknowledgedTime = gap.Time, Reason = gap.Reason };
    }

    /// <summary>
    /// Takes back what was acknowledged of a range: every record that touches it, as a whole. Returns how many records that were.
    /// </summary>
    public static async Task<int> RevokeAsync(BackupRepository repository, WalSegmentRange range, CancellationToken cancellationToken = default)
    {
        var touched = new List<string>();
        foreach (KnownGap gap in await ReadAsync(repository, cancellationToken).ConfigureAwait(false))
        {
            var size = new WalSegmentSize(gap.SegmentSize);
            if (gap.SystemIdentifier == (range.SystemIdentifier ?? 0) && gap.Timeline == range.Timeline.Value
                && gap.First <= range.Last.NumberFor(size) && gap.Last >= range.First.NumberFor(size))
                touched.Add(KeyOf(gap));
        }
        if (touched.Count > 0)
            await repository.Store.DeleteAsync(touched, cancellationToken).ConfigureAwait(false);
        return touched.Count;
    }

    /// <summary>Everything that was acknowledged, in order of the log. Throws <c>DocumentInvalid</c>.</summary>
    internal static async Task<IReadOnlyList<KnownGap>> ReadAsync(BackupRepository repository, CancellationToken cancellationToken)
    {
        var gaps = new List<KnownGap>();
        await foreach (StoredObject item in repository.Store.ListAsync(Folder, recursive: false, cancellationToken).ConfigureAwait(false))
        {
            if (await repository.Store.TryReadAllAsync(item.Key, cancellationToken).ConfigureAwait(false) is not { } content)
                continue;
            try
            {
                KnownGap gap = JsonSerializer.Deserialize(content, KnownGapJson.Default.KnownGap) ?? throw new JsonException("It is empty.");
                if (!WalSegmentSize.IsValid(gap.SegmentSize) || gap.First > gap.Last || gap.Timeline == 0)
                    throw new JsonException("It names no segments.");
                gaps.Add(gap);
            }
            catch (JsonException error)
            {
                throw PgErrors.DocumentInvalid(repository.Location, item.Key, error);
            }
        }
        gaps.Sort((a, b) => (a.Timeline, a.First, b.Time).CompareTo((b.Timeline, b.First, a.Time)));
        return gaps;
    }

    // Decimal numbers of at most 20 digits each: no 24 hexadecimal digits in a row.
    private static string KeyOf(KnownGap gap) =>
        string.Create(CultureInfo.InvariantCulture, $"{Folder}{gap.SystemIdentifier}-{gap.Timeline}-{gap.First}-{gap.Last}.json");
}
