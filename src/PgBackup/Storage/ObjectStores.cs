namespace PgBackup.Storage;

/// <summary>Opens stores by their settings.</summary>
public static class ObjectStores
{
    /// <summary>The store that the settings name; nothing is asked of it yet.</summary>
    public static IObjectStore Open(StorageSettings settings) => settings switch
    {
        DirectorySettings directory => new DirectoryStore(directory.Folder),
        S3.S3Settings s3 => new S3.S3Store(s3),
        _ => throw Errors.PgErrors.RepositoryKindNotSupported(settings.Location),
    };
}
