using PgBackup.Repository.Documents;

namespace PgBackup.Backup.Reading;

/// <summary>What is known of the pages of a file that is not stored, because its parent has it.</summary>
/// <param name="Empty">Its pages that were never used; null when there are none.</param>
/// <param name="AllVisible">Its pages that are marked all-visible; null where that is not kept.</param>
internal sealed record NotedPages(BlockRanges? Empty, BlockBitmap? AllVisible);
