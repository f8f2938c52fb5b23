namespace PgBackup.Codecs;

/// <summary>Constants of the LZ4 frame format (lz4_Frame_format.md, version 1.6); all numbers are little-endian.</summary>
internal static class Lz4Frame
{
    /// <summary>What a frame begins with.</summary>
    internal const uint Magic = 0x184D2204;

    /// <summary>What skippable frames begin with, less the last four bits.</summary>
    internal const uint SkippableMagic = 0x184D2A50;

    /// <summary>In a block's size: the block is stored as it is.</summary>
    internal const uint StoredBlock = 0x8000_0000;

    /// <summary>The largest block of the format, in bytes.</summary>
    internal const int LargestBlock = 4 << 20;

    /// <summary>How far back a block that is not independent may reach, in bytes.</summary>
    internal const int History = 64 << 10;

    /// <summary>FLG: the two bits of the version.</summary>
    internal const int VersionMask = 0xC0;

    /// <summary>FLG: version 01.</summary>
    internal const int Version = 0x40;

    /// <summary>FLG: no block reaches back into another.</summary>
    internal const int IndependentBlocks = 0x20;

    /// <summary>FLG: a checksum follows each block.</summary>
    internal const int BlockChecksum = 0x10;

    /// <summary>FLG: the header holds the size of the content.</summary>
    internal const int ContentSize = 0x08;

    /// <summary>FLG: a checksum of the content follows the end mark.</summary>
    internal const int ContentChecksum = 0x04;

    /// <summary>FLG: must be zero.</summary>
    internal const int Reserved = 0x02;

    /// <summary>FLG: a dictionary is needed.</summary>
    internal const int DictionaryId = 0x01;
}
