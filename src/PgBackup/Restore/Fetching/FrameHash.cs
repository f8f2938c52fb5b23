using System.IO.Hashing;
using PgBackup.Repository.Documents;

namespace PgBackup.Restore.Fetching;

/// <summary>The checksum that the index has of a frame.</summary>
internal static class FrameHash
{
    /// <summary>Throws <c>BackupDamaged</c> when a frame's content is not what was stored.</summary>
    public static void Require(ReadOnlySpan<byte> content, IndexedFrame frame, int number, string part, MemberWriter writer)
    {
        Span<byte> hash = stackalloc byte[16];
        XxHash128.Hash(content, hash);
        if (content.Length != frame.PlainLength || !string.Equals(Convert.ToHexStringLower(hash), frame.Hash, StringComparison.Ordinal))
            throw writer.Damaged($"frame {number + 1} of {part} does not have the checksum that the index says.");
    }
}
