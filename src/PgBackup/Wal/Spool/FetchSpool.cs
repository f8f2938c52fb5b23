using System.Globalization;
using Microsoft.Win32.SafeHandles;
using PgBackup.Platform;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.WalRecords;
using PgBackup.Repository;

namespace PgBackup.Wal.Spool;

/// <summary>What was asked for last, from which everybody knows what comes next.</summary>
/// <param name="Segment">The segment.</param>
/// <param name="Size">The size of segments.</param>
internal readonly record struct AskedSegment(WalSegmentName Segment, WalSegmentSize Size);

/// <summary>
/// Segments that were fetched before the server asks for them. One process at a time puts them there (<see cref="TryLock"/>); each appears whole. They are not synced: what an earlier run of
/// the operating system left is not believed.
/// </summary>
internal sealed class FetchSpool
{
    private const string AskedName = "asked";
    private const string LockName = "lock";
    private const string BootName = "boot";

    private readonly string _folder;

    public FetchSpool(WalSpool spool)
    {
        _folder = spool.Combine("fetched");
        string boot = BootIdentity.Current() ?? "";
        string path = Path.Combine(_folder, BootName);
        if (File.Exists(path) && File.ReadAllText(path) == boot)
            return;
        // Empty files and holes are what a crash of the system leaves of files that were not synced.
        foreach (string left in Directory.EnumerateFiles(_folder).Where(left => Path.GetFileName(left) != LockName))
            File.Delete(left);
        WalSpool.Replace(path, boot);
    }

    /// <summary>The lock of the one that fetches ahead; null while another has it. It ends with its process.</summary>
    public IDisposable? TryLock()
    {
        try
        {
            return new FileStream(Path.Combine(_folder, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>True while somebody fetches ahead.</summary>
    public bool IsAttended()
    {
        using IDisposable? free = TryLock();
        return free is null;
    }

    /// <summary>Notes what was asked for.</summary>
    public void Ask(AskedSegment asked) =>
        WalSpool.Replace(Path.Combine(_folder, AskedName), string.Create(CultureInfo.InvariantCulture, $"{asked.Segment} {asked.Size.Bytes}"));

    /// <summary>What was asked for last; null when nothing was.</summary>
    public AskedSegment? Asked()
    {
        string path = Path.Combine(_folder, AskedName);
        return File.Exists(path) && File.ReadAllText(path).Split(' ') is [var name, var size]
            && WalSegmentName.TryParse(name, out WalSegmentName segment)
            && int.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out int bytes)
            && WalSegmentSize.IsValid(bytes)
            ? new AskedSegment(segment, new WalSegmentSize(bytes))
            : null;
    }

    /// <summary>Where a segment is put, whole, so that it can be taken.</summary>
    public string PathOf(WalSegmentName segment) => Path.Combine(_folder, segment.ToString());

    /// <summary>True when the segment can be taken.</summary>
    public bool Has(WalSegmentName segment) => File.Exists(PathOf(segment));

    /// <summary>True while somebody fetches it: a part that a killed process left has nobody.</summary>
    public bool IsComing(WalSegmentName segment) => File.Exists(PathOf(segment) + LocalWalFile.PartSuffix) && IsAttended();

    /// <summary>
    /// Gives a segment away: it is moved to <paramref name="destination"/>, which appears whole. Null when it is not there, or not what its name says. Throws <see cref="IOException"/>.
    /// </summary>
    public WalSegmentHeader? TryTake(WalFileName file, string destination)
    {
        string path = PathOf(file.Segment!.Value);
        if (!File.Exists(path))
            return null;
        byte[] head = new byte[WalPageHeader.LongSize];
        WalSegmentHeader? header;
        using (SafeFileHandle handle = File.OpenHandle(path))
        {
            int read = RandomAccess.Read(handle, head, 0);
            if (WalContent.FindFault(file, head.AsSpan(0, read), RandomAccess.GetLength(handle), out header) is not null)
                header = null;
        }
        // A repository may have become another cluster's, and this another's data directory: what was fetched before is of neither.
        if (header is null || ControlFile.SystemIdentifierIn(DataDirectoryOf(destination)) is { } cluster && cluster != header.SystemIdentifier)
        {
            File.Delete(path);
            return null;
        }
        string temporary = destination + LocalWalFile.PartSuffix;
        FileMove.Over(path, destination, temporary);
        File.Delete(temporary); // What a killed fetch may have left; nobody else would.
        return header;
    }

    /// <summary>Removes what is not wanted any more.</summary>
    public void Keep(IReadOnlyCollection<WalSegmentName> wanted)
    {
        foreach (string path in Directory.EnumerateFiles(_folder))
        {
            string name = Path.GetFileName(path);
            if (WalSegmentName.TryParse(name.Split('.')[0], out WalSegmentName segment) && !wanted.Contains(segment))
                File.Delete(path);
        }
    }

    // As PostgreSQL names it, relative to the data directory; pg_wal itself may be a link.
    private static string DataDirectoryOf(string destination) => Path.GetDirectoryName(Path.GetDirectoryName(Path.GetFullPath(destination))!) ?? "/";
}
