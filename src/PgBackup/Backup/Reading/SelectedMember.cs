namespace PgBackup.Backup.Reading;

/// <summary>In what form a file goes into a backup.</summary>
internal enum MemberForm
{
    /// <summary>As it is; folders too.</summary>
    Whole,

    /// <summary>As the pages that changed since the parent.</summary>
    Increment,

    /// <summary>Not at all: the parent has it as it is.</summary>
    Skipped,
}

/// <summary>Something of the data directory, and the form in which it goes into the backup.</summary>
/// <param name="Entry">What it is.</param>
/// <param name="Form">The form.</param>
/// <param name="Increment">The pages; for <see cref="MemberForm.Increment"/> alone.</param>
/// <param name="Known">What is known of its pages; for <see cref="MemberForm.Skipped"/> alone.</param>
internal readonly record struct SelectedMember(DataDirectoryEntry Entry, MemberForm Form, Increment? Increment = null, NotedPages? Known = null)
{
    public static SelectedMember Whole(DataDirectoryEntry entry) => new(entry, MemberForm.Whole);
}
