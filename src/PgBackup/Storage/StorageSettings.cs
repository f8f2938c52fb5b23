namespace PgBackup.Storage;

/// <summary>Where a repository lives and how it is reached.</summary>
public abstract record StorageSettings
{
    /// <summary>The repository as its user names it; never holds a secret.</summary>
    public abstract string Location { get; }
}

/// <summary>A repository in a folder.</summary>
/// <param name="Folder">The folder, as a full path.</param>
public sealed record DirectorySettings(string Folder) : StorageSettings
{
    /// <inheritdoc/>
    public override string Location => Folder;
}
