using PgBackup.Tests.Kit;

namespace PgBackup.Bench;

/// <summary>Where a contestant's repository lies.</summary>
internal abstract class RepositoryHome
{
    /// <summary>What PgBackup is given as <c>-Repository</c>.</summary>
    public abstract string Repository { get; }

    /// <summary>What PgBackup's processes need in their environment to reach it.</summary>
    public virtual IReadOnlyDictionary<string, string> Environment { get; } = new Dictionary<string, string>();

    /// <summary>What pgBackRest needs in its configuration to reach it.</summary>
    public abstract string PgBackRestOptions { get; }

    /// <summary>Makes what has to be there before a tool may write.</summary>
    public virtual Task PrepareAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>The names of the folders directly in a folder (ending in a slash).</summary>
    public abstract Task<IReadOnlyList<string>> FoldersInAsync(string folder, CancellationToken cancellationToken);

    /// <summary>The stored bytes of all that begins with <paramref name="prefix"/>, which is a folder (ending in a slash) or one object.</summary>
    public abstract Task<long> BytesAsync(string prefix, CancellationToken cancellationToken);

    /// <summary>Reads a folder, so that a restore need not wait for a disk.</summary>
    public abstract void Warm(string folder, CancellationToken cancellationToken);
}

/// <summary>A folder of the file system.</summary>
internal sealed class FolderHome(string folder) : RepositoryHome
{
    public override string Repository => folder;

    public override string PgBackRestOptions => $"repo1-path={folder}";

    public override Task PrepareAsync(CancellationToken cancellationToken)
    {
        ServerAccount.Current.CreateFolder(folder);
        return Task.CompletedTask;
    }

    public override Task<IReadOnlyList<string>> FoldersInAsync(string path, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<string>>([.. new DirectoryInfo(Path.Combine(folder, path)).EnumerateDirectories().Select(static d => d.Name)]);

    public override Task<long> BytesAsync(string prefix, CancellationToken cancellationToken)
    {
        string path = Path.Combine(folder, prefix);
        return Task.FromResult(Path.Exists(path) ? Sizes.Of(path) : 0);
    }

    public override void Warm(string path, CancellationToken cancellationToken) => Sizes.Warm(Path.Combine(folder, path), cancellationToken);
}
