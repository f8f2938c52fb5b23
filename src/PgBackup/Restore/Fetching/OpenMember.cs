namespace PgBackup.Restore.Fetching;

/// <summary>A file of which a piece is still to come, because its member lies in several frames.</summary>
/// <param name="file">The file.</param>
/// <param name="owed">The bytes of the member that are to come.</param>
internal sealed class OpenMember(DestinationFile file, long owed)
{
    private readonly TaskCompletionSource<IncrementPages> _pages = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _owed = owed;

    /// <summary>The file.</summary>
    public DestinationFile File { get; } = file;

    /// <summary>The pages of an increment; known once the frame with its header was written.</summary>
    public Task<IncrementPages> Pages => _pages.Task;

    /// <summary>The header of the increment was met.</summary>
    public void SetPages(IncrementPages pages) => _pages.TrySetResult(pages);

    /// <summary>Some of the bytes came; true when none is missing any more.</summary>
    public bool Took(int bytes) => Interlocked.Add(ref _owed, -bytes) == 0;
}
