using System.Buffers.Binary;

namespace PgBackup.Postgres.WalRecords;

/// <summary>
/// A record that crosses pages, while its pieces come in: keeps the header, the running checksum and, when wanted, the body, never the rest.
/// </summary>
internal sealed class WalOpenRecord
{
    private const int PlainBodyLimit = 64 * 1024;
    private const int ChecksumOffset = 20;

    private readonly byte[] _header = new byte[WalRecord.HeaderSize];
    private byte[] _body = [];
    private int _bodyLength;
    private int _headerLength;
    private int _bodyLimit;
    private uint _checksum;

    internal bool IsOpen { get; private set; }

    internal Lsn Start { get; private set; }

    internal TimelineId Timeline { get; private set; }

    internal uint TotalLength { get; private set; }

    internal uint Remaining { get; private set; }

    internal ReadOnlySpan<byte> Header => _header;

    internal bool HasHeader => _headerLength == WalRecord.HeaderSize;

    internal ReadOnlyMemory<byte> Body => _body.AsMemory(0, _bodyLength);

    internal bool ChecksumFits =>
        Crc32C.Finish(Crc32C.Append(_checksum, _header.AsSpan(0, ChecksumOffset))) == BinaryPrimitives.ReadUInt32LittleEndian(_header.AsSpan(ChecksumOffset));

    internal void Begin(Lsn start, TimelineId timeline, uint totalLength)
    {
        IsOpen = true;
        Start = start;
        Timeline = timeline;
        TotalLength = Remaining = totalLength;
        _headerLength = _bodyLength = _bodyLimit = 0;
        _checksum = Crc32C.Start;
    }

    /// <summary>Takes the part of the header that a piece holds; returns the rest of the piece.</summary>
    internal ReadOnlySpan<byte> TakeHeader(ReadOnlySpan<byte> piece)
    {
        int taken = Math.Min(WalRecord.HeaderSize - _headerLength, piece.Length);
        piece[..taken].CopyTo(_header.AsSpan(_headerLength));
        _headerLength += taken;
        Remaining -= (uint)taken;
        return piece[taken..];
    }

    /// <summary>Says how much of the body is to be kept, once the header is known.</summary>
    internal void Keep(WalRecordKinds kind, WalRecordKinds wanted)
    {
        if (kind == WalRecordKinds.Other || (kind & wanted) == 0)
            _bodyLimit = 0;
        else
            _bodyLimit = kind is WalRecordKinds.Commit or WalRecordKinds.Abort ? PlainBodyLimit : int.MaxValue;
    }

    internal void TakeBody(ReadOnlySpan<byte> piece)
    {
        _checksum = Crc32C.Append(_checksum, piece);
        Remaining -= (uint)piece.Length;
        int kept = Math.Min(_bodyLimit - _bodyLength, piece.Length);
        if (kept <= 0)
            return;
        if (_bodyLength + kept > _body.Length)
            Array.Resize(ref _body, Math.Max(_bodyLength + kept, Math.Max(4096, _body.Length * 2)));
        piece[..kept].CopyTo(_body.AsSpan(_bodyLength));
        _bodyLength += kept;
    }

    internal void Close() => IsOpen = false;
}
