using Microsoft.Win32.SafeHandles;
using System.Buffers.Binary;
using PgBackup.Errors;

namespace PgBackup.Postgres.Files;

/// <summary>
/// What <c>global/pg_control</c> says of a cluster: identity, state, last checkpoint, and the settings that a standby checks.
/// PostgreSQL 13 to 18, little-endian (PostgreSQL source: pg_control.h).
/// </summary>
public sealed record ControlFile
{
    /// <summary>The path below the data directory, with forward slashes.</summary>
    public const string RelativePath = "global/pg_control";

    /// <summary>The size of the file on disk in bytes.</summary>
    public const int FileSize = 8192;

    private const int ReadAttempts = 50;
    private static readonly TimeSpan s_readPause = TimeSpan.FromMilliseconds(20);

    /// <summary>The cluster's identity, given by initdb.</summary>
    public required ulong SystemIdentifier { get; init; }

    /// <summary>The version of the file's layout: 1300 (PostgreSQL 13 to 16), 1700 or 1800.</summary>
    public required int PgControlVersion { get; init; }

    /// <summary>The version of the system catalogues, for example 202209061.</summary>
    public required uint CatalogVersion { get; init; }

    /// <summary>What the cluster was doing when the file was written last.</summary>
    public required ClusterState State { get; init; }

    /// <summary>When the file was written last.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>The LSN of the last checkpoint's record.</summary>
    public required Lsn CheckpointLsn { get; init; }

    /// <summary>The LSN from which the last checkpoint asks recovery to start.</summary>
    public required Lsn RedoLsn { get; init; }

    /// <summary>The timeline of the last checkpoint (ThisTimeLineID).</summary>
    public required TimelineId Timeline { get; init; }

    /// <summary>The timeline before; differs from <see cref="Timeline"/> when the checkpoint began a new one.</summary>
    public required TimelineId PreviousTimeline { get; init; }

    /// <summary>When the last checkpoint was made.</summary>
    public required DateTimeOffset CheckpointTime { get; init; }

    /// <summary>How far archive recovery must replay before the cluster is consistent; 0/0 in a primary.</summary>
    public required Lsn MinRecoveryPoint { get; init; }

    /// <summary>The timeline of <see cref="MinRecoveryPoint"/>; 0 in a primary.</summary>
    public required TimelineId MinRecoveryPointTimeline { get; init; }

    /// <summary>The start of the backup that is being recovered; 0/0 when none is.</summary>
    public required Lsn BackupStartPoint { get; init; }

    /// <summary>The end of a backup taken from a standby that is being recovered; 0/0 when none is.</summary>
    public required Lsn BackupEndPoint { get; init; }

    /// <summary>True while recovery waits for the record that ends the backup.</summary>
    public required bool BackupEndRequired { get; init; }

    /// <summary>The setting wal_level.</summary>
    public required WalLevel WalLevel { get; init; }

    /// <summary>The setting max_connections.</summary>
    public required int MaxConnections { get; init; }

    /// <summary>The setting max_worker_processes.</summary>
    public required int MaxWorkerProcesses { get; init; }

    /// <summary>The setting max_wal_senders.</summary>
    public required int MaxWalSenders { get; init; }

    /// <summary>The setting max_prepared_transactions.</summary>
    public required int MaxPreparedTransactions { get; init; }

    /// <summary>The setting max_locks_per_transaction.</summary>
    public required int MaxLocksPerTransaction { get; init; }

    /// <summary>The size of a data page in bytes; 8192 unless the server was built otherwise.</summary>
    public required int BlockSize { get; init; }

    /// <summary>The number of pages in one file of a big relation; 131072 (1 GB) unless the server was built otherwise.</summary>
    public required int BlocksPerSegment { get; init; }

    /// <summary>The size of a WAL page in bytes; 8192 unless the server was built otherwise.</summary>
    public required int WalBlockSize { get; init; }

    /// <summary>The size of a WAL segment.</summary>
    public required WalSegmentSize WalSegmentSize { get; init; }

    /// <summary>0 when data pages have no checksums; 1 for those of pg_checksum_page.</summary>
    public required int DataChecksumVersion { get; init; }

    /// <summary>The bytes that were parsed: the whole file.</summary>
    public required ReadOnlyMemory<byte> Content { get; init; }

    /// <summary>True when data pages carry checksums.</summary>
    public bool HasDataChecksums => DataChecksumVersion != 0;

    /// <summary>The server's major version as the catalogue version tells it; null for a catalogue that no release 13 to 18 has.</summary>
    public int? MajorVersion => CatalogVersion switch
    {
        202007201 => 13,
        202107181 => 14,
        202209061 => 15,
        202307071 => 16,
        202406281 => 17,
        202506291 => 18,
        _ => null,
    };

    /// <summary>
    /// Reads the bytes of a control file. Null when <paramref name="status"/> is not <see cref="ControlFileStatus.Valid"/>: a wrong checksum
    /// in the file of a running server only says that it was being written, so read it again.
    /// </summary>
    public static ControlFile? TryParse(ReadOnlyMemory<byte> content, out ControlFileStatus status)
    {
        ReadOnlySpan<byte> data = content.Span;
        if (data.Length < Offset.Crc1800 + sizeof(uint))
        {
            status = ControlFileStatus.TooShort;
            return null;
        }
        uint version = U32(data, Offset.PgControlVersion);
        int crcOffset = version switch { 1300 or 1700 => Offset.Crc1300, 1800 => Offset.Crc1800, _ => 0 };
        if (crcOffset == 0)
        {
            status = ControlFileStatus.VersionNotSupported;
            return null;
        }
        if (Crc32C.Compute(data[..crcOffset]) != U32(data, crcOffset))
        {
            status = ControlFileStatus.ChecksumMismatch;
            return null;
        }
        uint segmentSize = U32(data, Offset.WalSegmentSize);
        if (!WalSegmentSize.IsValid(segmentSize))
        {
            status = ControlFileStatus.ContentInvalid;
            return null;
        }
        status = ControlFileStatus.Valid;
        return Build(content, segmentSize);
    }

    /// <summary>Reads the bytes of a control file; <paramref name="origin"/> (a path or an object's key) names it in the error.</summary>
    /// <exception cref="PgBackupException">ControlFileInvalid or ControlFileVersionNotSupported.</exception>
    public static ControlFile Parse(ReadOnlyMemory<byte> content, string origin) => TryParse(content, out ControlFileStatus status)
        ?? throw (status == ControlFileStatus.VersionNotSupported
            ? PgErrors.ControlFileVersionNotSupported(origin, U32(content.Span, Offset.PgControlVersion))
            : PgErrors.ControlFileInvalid(origin, Describe(status)));

    /// <summary>
    /// The system identifier alone, with which the file begins and which never changes (pg_control.h), so that a server that writes the file does no harm; null where there is no such file
    /// or it cannot be read.
    /// </summary>
    public static ulong? SystemIdentifierIn(string dataDirectory)
    {
        try
        {
            using SafeFileHandle handle = File.OpenHandle(Path.Combine(dataDirectory, "global", "pg_control"), share: FileShare.ReadWrite | FileShare.Delete);
            byte[] head = new byte[sizeof(ulong)];
            return RandomAccess.Read(handle, head, 0) == head.Length ? BitConverter.ToUInt64(head) : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>
    /// Reads <c>global/pg_control</c> of a data directory whose server may be running: again and again while its checksum is wrong,
    /// for about a second.
    /// </summary>
    /// <exception cref="PgBackupException">ControlFileNotFound, ControlFileInvalid or ControlFileVersionNotSupported.</exception>
    public static async Task<ControlFile> ReadAsync(string dataDirectory, CancellationToken cancellationToken)
    {
        string path = Path.Combine(dataDirectory, "global", "pg_control");
        for (int attempt = 1; ; attempt++)
        {
            byte[] content;
            try
            {
                content = await File.ReadAllBytesAsync(path, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
            {
                throw PgErrors.ControlFileNotFound(dataDirectory, e);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw PgErrors.ControlFileUnreadable(path, e);
            }
            if (TryParse(content, out ControlFileStatus status) is { } file)
                return file;
            if (attempt == ReadAttempts || status == ControlFileStatus.VersionNotSupported)
                return Parse(content, path);
            await Task.Delay(s_readPause, cancellationToken).ConfigureAwait(false);
        }
    }

    private static string Describe(ControlFileStatus status) => status switch
    {
        ControlFileStatus.TooShort => "it is too short",
        ControlFileStatus.ChecksumMismatch => "its checksum does not fit",
        _ => "it holds a value that no server writes",
    };

    private static ControlFile Build(ReadOnlyMemory<byte> content, uint segmentSize)
    {
        ReadOnlySpan<byte> data = content.Span;
        return new ControlFile
        {
            SystemIdentifier = U64(data, 0),
            PgControlVersion = I32(data, Offset.PgControlVersion),
            CatalogVersion = U32(data, 12),
            State = (ClusterState)I32(data, 16),
            Time = PgTimestamp.FromUnixSeconds((long)U64(data, 24)),
            CheckpointLsn = new Lsn(U64(data, 32)),
            RedoLsn = new Lsn(U64(data, 40)),
            Timeline = new TimelineId(U32(data, 48)),
            PreviousTimeline = new TimelineId(U32(data, 52)),
            CheckpointTime = PgTimestamp.FromUnixSeconds((long)U64(data, 104)),
            MinRecoveryPoint = new Lsn(U64(data, 136)),
            MinRecoveryPointTimeline = new TimelineId(U32(data, 144)),
            BackupStartPoint = new Lsn(U64(data, 152)),
            BackupEndPoint = new Lsn(U64(data, 160)),
            BackupEndRequired = data[168] != 0,
            WalLevel = (WalLevel)I32(data, 172),
            MaxConnections = I32(data, 180),
            MaxWorkerProcesses = I32(data, 184),
            MaxWalSenders = I32(data, 188),
            MaxPreparedTransactions = I32(data, 192),
            MaxLocksPerTransaction = I32(data, 196),
            BlockSize = I32(data, 216),
            BlocksPerSegment = I32(data, 220),
            WalBlockSize = I32(data, 224),
            WalSegmentSize = new WalSegmentSize((int)segmentSize),
            DataChecksumVersion = I32(data, 252),
            Content = content,
        };
    }

    private static uint U32(ReadOnlySpan<byte> data, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(data[offset..]);

    private static int I32(ReadOnlySpan<byte> data, int offset) => BinaryPrimitives.ReadInt32LittleEndian(data[offset..]);

    private static ulong U64(ReadOnlySpan<byte> data, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(data[offset..]);

    private static class Offset
    {
        internal const int PgControlVersion = 8;
        internal const int WalSegmentSize = 228;
        internal const int Crc1300 = 288;
        // PostgreSQL 18 put default_char_signedness before the nonce.
        internal const int Crc1800 = 292;
    }
}
