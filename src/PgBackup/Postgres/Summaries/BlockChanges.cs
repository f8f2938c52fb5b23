using System.Numerics;
using System.Runtime.InteropServices;
using PgBackup.Postgres.Files;

namespace PgBackup.Postgres.Summaries;

/// <summary>
/// The blocks of main forks that changed in a range of the log, gathered from WAL summaries. Kept as bits in small pieces: 1 GB whose every page changed takes 22 kB,
/// a relation of which one page changed some 200 bytes.
/// </summary>
public sealed class BlockChanges
{
    private readonly Dictionary<(uint Tablespace, uint Database, uint FileNode), RelationChanges> _relations = [];
    private readonly HashSet<(uint Tablespace, uint Database)> _databases = [];

    /// <summary>How many relations changed.</summary>
    public int RelationCount => _relations.Count;

    /// <summary>
    /// Takes a row of <c>pg_wal_summary_contents</c> that speaks of a main fork (PostgreSQL documentation, "WAL Summarization Information Functions"). A limit says that the
    /// fork was cut to so many blocks, or made anew with 0: all from there on counts as changed.
    /// </summary>
    public void Add(uint tablespace, uint database, uint fileNode, long block, bool isLimit)
    {
        if (fileNode == 0)
        {
            _databases.Add((tablespace, database)); // The whole database was made, copied or moved (blkreftable.h, "BlockRefTableSetLimitBlock").
            return;
        }
        ref RelationChanges? relation = ref CollectionsMarshal.GetValueRefOrAddDefault(_relations, (tablespace, database, fileNode), out _);
        relation ??= new RelationChanges();
        if (isLimit)
            relation.SetLimit(block);
        else
            relation.Add(block);
    }

    /// <summary>True when every file of the database, in that tablespace, counts as changed.</summary>
    public bool IsWholeDatabase(uint tablespace, uint database) => _databases.Contains((tablespace, database));

    /// <summary>
    /// The blocks of one file that changed, numbered within it and ascending; those at or beyond the file's end are left out. Null when the whole file counts as changed: it is new, of a
    /// new database, or was cut.
    /// </summary>
    /// <param name="file">A file of a main fork.</param>
    /// <param name="blocksPerSegment">Blocks in a file of a big relation.</param>
    /// <param name="blockCount">Blocks in this file now.</param>
    /// <param name="knownBlocks">Blocks from this one on count as changed in any case: the file had no more before.</param>
    public uint[]? ChangesIn(RelationPath file, int blocksPerSegment, uint blockCount, uint knownBlocks)
    {
        if (IsWholeDatabase(file.Tablespace, file.Database))
            return null;
        if (!_relations.TryGetValue((file.Tablespace, file.Database, file.FileNode), out RelationChanges? relation))
            return [.. Range(knownBlocks, blockCount)];
        long first = (long)file.Segment * blocksPerSegment;
        // Cut to less than it had, it may have grown again by pages that nobody has used yet.
        if (relation.Limit <= first || relation.Limit - first < knownBlocks)
            return null;
        uint from = Math.Min(knownBlocks, blockCount);
        var blocks = new List<uint>();
        relation.Collect(first, from, blocks);
        blocks.AddRange(Range(from, blockCount));
        return [.. blocks];
    }

    private static IEnumerable<uint> Range(uint from, uint to)
    {
        for (uint block = from; block < to; block++)
            yield return block;
    }

    private sealed class RelationChanges
    {
        private const int PieceBits = 1024;

        private readonly Dictionary<uint, ulong[]> _pieces = [];

        public long Limit { get; private set; } = long.MaxValue;

        public void SetLimit(long block) => Limit = Math.Min(Limit, block);

        public void Add(long block)
        {
            ref ulong[]? piece = ref CollectionsMarshal.GetValueRefOrAddDefault(_pieces, (uint)(block / PieceBits), out _);
            piece ??= new ulong[PieceBits / 64];
            piece[block % PieceBits / 64] |= 1UL << (int)(block % 64);
        }

        /// <summary>Appends the blocks from <paramref name="first"/> up to <paramref name="count"/> further, numbered from there.</summary>
        public void Collect(long first, uint count, List<uint> blocks)
        {
            for (long at = first / PieceBits; at * PieceBits < first + count; at++)
            {
                if (!_pieces.TryGetValue((uint)at, out ulong[]? piece))
                    continue;
                for (int word = 0; word < piece.Length; word++)
                {
                    for (ulong bits = piece[word]; bits != 0; bits &= bits - 1)
                    {
                        long block = (at * PieceBits) + (word * 64) + BitOperations.TrailingZeroCount(bits) - first;
                        if (block >= 0 && block < count)
                            blocks.Add((uint)block);
                    }
                }
            }
        }
    }
}
