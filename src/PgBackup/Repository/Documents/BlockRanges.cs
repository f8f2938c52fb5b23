namespace PgBackup.Repository.Documents;

/// <summary>
/// Ascending numbers of pages as runs: first, count, first, count, … Kept in <c>files_metadata.json</c> as <c>EmptyBlocks</c>, which wal-g passes over.
/// </summary>
public sealed class BlockRanges
{
    private readonly uint[] _runs;

    private BlockRanges(uint[] runs) => _runs = runs;

    /// <summary>First, count, first, count, …</summary>
    public ReadOnlySpan<uint> Runs => _runs;

    /// <summary>The runs of ascending numbers; null when there are none.</summary>
    public static BlockRanges? Of(ReadOnlySpan<uint> blocks)
    {
        if (blocks.IsEmpty)
            return null;
        var runs = new List<uint>();
        for (int i = 0; i < blocks.Length; i++)
        {
            if (i > 0 && blocks[i] == blocks[i - 1] + 1)
                runs[^1]++;
            else
                runs.AddRange([blocks[i], 1]);
        }
        return new BlockRanges([.. runs]);
    }

    /// <summary>Runs as they were read; null when they are none: an odd number of them, or not ascending.</summary>
    public static BlockRanges? FromRuns(IReadOnlyList<uint> runs)
    {
        if (runs.Count == 0 || runs.Count % 2 != 0)
            return null;
        ulong end = 0;
        for (int i = 0; i < runs.Count; i += 2)
        {
            if (runs[i] < end || runs[i + 1] == 0)
                return null;
            end = (ulong)runs[i] + runs[i + 1];
        }
        return new BlockRanges([.. runs]);
    }

    /// <summary>The number after the last.</summary>
    public ulong End => (ulong)_runs[^2] + _runs[^1];

    /// <summary>Whether a number is among them.</summary>
    public bool Contains(uint block)
    {
        int low = 0, high = _runs.Length / 2;
        while (low < high)
        {
            int middle = (low + high) / 2;
            uint first = _runs[2 * middle];
            if (block < first)
                high = middle;
            else if (block - first < _runs[(2 * middle) + 1])
                return true;
            else
                low = middle + 1;
        }
        return false;
    }

    /// <summary>All of them, ascending.</summary>
    public IEnumerable<uint> Blocks()
    {
        for (int i = 0; i < _runs.Length; i += 2)
        {
            for (uint j = 0; j < _runs[i + 1]; j++)
                yield return _runs[i] + j;
        }
    }
}
