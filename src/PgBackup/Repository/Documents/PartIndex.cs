using System.Text.Json.Serialization;

namespace PgBackup.Repository.Documents;

/// <summary>
/// The first line of <c>pgbackup_index.json.zst</c>: JSON values, one a line. The header is followed by one <see cref="IndexedPart"/> for each tar part,
/// so that a reader holds one part's entries at a time.
/// </summary>
/// <param name="Version">1.</param>
/// <param name="Backup">The backup's name.</param>
/// <param name="PartCount">How many parts follow.</param>
public sealed record IndexHeader(
    [property: JsonPropertyName("version")] int Version,
    [property: JsonPropertyName("backup")] string Backup,
    [property: JsonPropertyName("parts")] int PartCount)
{
    /// <summary>The version that this code writes, and the newest that it reads.</summary>
    public const int CurrentVersion = 1;
}

/// <summary>One tar part: its frames in order, and the members they hold.</summary>
/// <param name="Name">The object's name in <c>tar_partitions/</c>.</param>
/// <param name="Size">The stored bytes.</param>
/// <param name="RandomAccess">Whether a frame can be fetched and decoded alone (zstd without encryption).</param>
/// <param name="Frames">The frames; their plain bytes laid end to end are the tar.</param>
/// <param name="Members">The tar's members in order.</param>
public sealed record IndexedPart(
    [property: JsonPropertyName("name")] string Name,
    [property: JsonPropertyName("size")] long Size,
    [property: JsonPropertyName("random")] bool RandomAccess,
    [property: JsonPropertyName("frames")] IReadOnlyList<IndexedFrame> Frames,
    [property: JsonPropertyName("members")] IReadOnlyList<IndexedMember> Members);

/// <summary>One frame of a part.</summary>
/// <param name="Length">The stored bytes (before encryption); the frame begins where the one before ends.</param>
/// <param name="PlainLength">The bytes of tar that it decodes to.</param>
/// <param name="Hash">XXH128 of the plain bytes, 32 lower-case hexadecimal digits.</param>
public sealed record IndexedFrame(
    [property: JsonPropertyName("l")] int Length,
    [property: JsonPropertyName("p")] int PlainLength,
    [property: JsonPropertyName("h")] string Hash);

/// <summary>One member of a part's tar.</summary>
/// <param name="Name">The member's name, equal to its key in <c>files_metadata.json</c>.</param>
/// <param name="Offset">Where the member's content begins in the tar.</param>
/// <param name="Size">The bytes of its content; 0 for a folder.</param>
/// <param name="Mode">The permission bits, decimal.</param>
/// <param name="Modified">Modification time in nanoseconds since 1970.</param>
/// <param name="Kind">What the content is.</param>
public sealed record IndexedMember(
    [property: JsonPropertyName("n")] string Name,
    [property: JsonPropertyName("o")] long Offset,
    [property: JsonPropertyName("s")] long Size,
    [property: JsonPropertyName("m")] int Mode,
    [property: JsonPropertyName("t")] long Modified,
    [property: JsonPropertyName("k"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] MemberKind Kind);

/// <summary>What a member's content is.</summary>
public enum MemberKind
{
    /// <summary>The file itself.</summary>
    File,

    /// <summary>A folder.</summary>
    Directory,

    /// <summary>An increment: the pages that changed since the parent.</summary>
    Increment,
}
