using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Restore.Fetching;

namespace PgBackup.Extraction;

/// <summary>
/// Reads the names of databases out of the files of a backup, where its list of files does not tell them (that of an encrypted repository does not). The files are as they were while they were
/// copied, so this is a hint; what holds at the target is asked of the server.
/// </summary>
internal static class DatabaseCatalog
{
    private const string MapFile = "global/pg_filenode.map";

    // pg_database's OID, pg_filenode.map's magic number (PostgreSQL source: pg_database.h, relmapper.c).
    private const uint DatabaseRelation = 1262;
    private const int MapMagic = 0x592717;

    // A page's header and its line pointers, a tuple's header (bufpage.h, itemid.h, htup_details.h).
    private const int PageHeaderLength = 24, LowerOffset = 12, ItemLength = 4, NormalItem = 1;
    private const int XmaxOffset = 4, InfomaskOffset = 20, DataOffset = 22, LeastTuple = 23;
    private const ushort XminCommitted = 0x0100, XminInvalid = 0x0200, XmaxInvalid = 0x0800;
    private const int NameLength = 64;

    /// <summary>Fetches what all databases share into a folder, and reads it; empty when it cannot be understood.</summary>
    public static async Task<IReadOnlyDictionary<string, uint>> ReadAsync(
        BackupRepository repository, IReadOnlyList<BackupName> chain, string folder, FileOwner? owner, int workers, IOperationLog log, CancellationToken cancellationToken)
    {
        using var destination = new RestoreDestination(folder, [], owner is null ? null : (owner.User, owner.Group));
        destination.Prepare("What all databases of a cluster share is read from here.\n");
        var fetcher = new BackupFetcher(repository, destination, workers, new FetchProgress("Reading the names of databases", null, NoProgress.Instance, log), log) { Choice = new SharedFiles() };
        await fetcher.FetchAsync(chain, cancellationToken).ConfigureAwait(false);
        ControlFile control = ControlFile.Parse(await File.ReadAllBytesAsync(destination.PathOf(RestoreDestination.PendingControlFile), cancellationToken).ConfigureAwait(false), ControlFile.RelativePath);
        string map = destination.PathOf(MapFile);
        if (!File.Exists(map) || NodeOf(await File.ReadAllBytesAsync(map, cancellationToken).ConfigureAwait(false)) is not { } node)
            return new Dictionary<string, uint>();
        string heap = destination.PathOf(string.Create(CultureInfo.InvariantCulture, $"global/{node}"));
        return File.Exists(heap) ? Parse(await File.ReadAllBytesAsync(heap, cancellationToken).ConfigureAwait(false), control.BlockSize) : new Dictionary<string, uint>();
    }

    /// <summary>The file of pg_database by a map of the shared relations; null when that says nothing of it.</summary>
    public static uint? NodeOf(ReadOnlySpan<byte> map)
    {
        if (map.Length < 8 || BinaryPrimitives.ReadInt32LittleEndian(map) != MapMagic)
            return null;
        int count = BinaryPrimitives.ReadInt32LittleEndian(map[4..]);
        for (int i = 0, at = 8; i < count && at + 8 <= map.Length; i++, at += 8)
        {
            if (BinaryPrimitives.ReadUInt32LittleEndian(map[at..]) == DatabaseRelation)
                return BinaryPrimitives.ReadUInt32LittleEndian(map[(at + 4)..]);
        }
        return null;
    }

    /// <summary>The databases of a heap of pg_database; rows that nobody has deleted go before others of the same name.</summary>
    public static IReadOnlyDictionary<string, uint> Parse(ReadOnlySpan<byte> heap, int pageSize)
    {
        var found = new Dictionary<string, uint>(StringComparer.Ordinal);
        var deleted = new Dictionary<string, uint>(StringComparer.Ordinal);
        for (; heap.Length >= pageSize; heap = heap[pageSize..])
            ParsePage(heap[..pageSize], found, deleted);
        foreach ((string name, uint oid) in deleted)
            found.TryAdd(name, oid);
        return found;
    }

    private static void ParsePage(ReadOnlySpan<byte> page, Dictionary<string, uint> found, Dictionary<string, uint> deleted)
    {
        int lower = Math.Min(BinaryPrimitives.ReadUInt16LittleEndian(page[LowerOffset..]), page.Length);
        for (int at = PageHeaderLength; at + ItemLength <= lower; at += ItemLength)
        {
            uint item = BinaryPrimitives.ReadUInt32LittleEndian(page[at..]);
            int offset = (int)(item & 0x7FFF), flags = (int)(item >> 15) & 3, length = (int)(item >> 17);
            if (flags != NormalItem || length < LeastTuple || offset + length > page.Length)
                continue;
            ReadOnlySpan<byte> tuple = page.Slice(offset, length);
            ushort mask = BinaryPrimitives.ReadUInt16LittleEndian(tuple[InfomaskOffset..]);
            int data = tuple[DataOffset];
            // Both bits together: frozen.
            if ((mask & (XminCommitted | XminInvalid)) == XminInvalid || data + 4 + NameLength > length)
                continue;
            uint oid = BinaryPrimitives.ReadUInt32LittleEndian(tuple[data..]);
            ReadOnlySpan<byte> name = tuple.Slice(data + 4, NameLength);
            int end = name.IndexOf((byte)0);
            if (oid == 0 || end <= 0)
                continue;
            bool isLive = (mask & XmaxInvalid) != 0 || BinaryPrimitives.ReadUInt32LittleEndian(tuple[XmaxOffset..]) == 0;
            (isLive ? found : deleted)[Encoding.UTF8.GetString(name[..end])] = oid;
        }
    }
}
