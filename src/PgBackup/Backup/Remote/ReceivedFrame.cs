using PgBackup.Backup.Packing;
using PgBackup.Backup.Reading;
using PgBackup.Postgres.Files;

namespace PgBackup.Backup.Remote;

/// <summary>Pages of a relation as they stand in a frame.</summary>
/// <param name="Offset">Where they begin in the frame.</param>
/// <param name="Length">Their bytes.</param>
/// <param name="FileOffset">Where they begin in their file.</param>
/// <param name="Relation">The file.</param>
/// <param name="Notes">Where is noted what is found.</param>
internal readonly record struct ReceivedPages(int Offset, int Length, long FileOffset, RelationPath Relation, PageNotes Notes);

/// <summary>A frame whose plain bytes have come from a server; what is left to do is to look at its pages, to hash and to compress it.</summary>
internal sealed class ReceivedFrame : FrameJob
{
    /// <summary>The pages to look at.</summary>
    public List<ReceivedPages> Pages { get; } = [];

    /// <summary>True when the file at its end goes on in the next frame.</summary>
    public bool FileGoesOn { get; set; }

    /// <inheritdoc/>
    public override bool LeavesFileOpen => FileGoesOn;
}
