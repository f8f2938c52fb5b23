namespace PgBackup.Restore.Fetching;

/// <summary>Which files of a cluster are wanted, by their path relative to the data directory.</summary>
internal abstract class FileChoice
{
    /// <summary>Whether a file or folder is wanted.</summary>
    public abstract bool Includes(string relative);

    /// <summary>The folder that is made although what lies in it is left out; null for none.</summary>
    public virtual string? FolderFor(string relative) => null;

    /// <summary>Whether a file that is left out gets its size, though none of its bytes.</summary>
    public virtual bool KeepsSize(string relative, long size) => false;
}

/// <summary>Only what all databases share.</summary>
internal sealed class SharedFiles : FileChoice
{
    /// <inheritdoc/>
    public override bool Includes(string relative) => relative == "global" || relative.StartsWith("global/", StringComparison.Ordinal);
}
