namespace PgBackup;

/// <summary>A file in which damaged pages were found while it was backed up.</summary>
/// <param name="Path">The file, relative to the data directory.</param>
/// <param name="Blocks">The numbers of its damaged pages, counted within the file.</param>
public sealed record CorruptFile(string Path, IReadOnlyList<uint> Blocks)
{
    /// <summary>For people: the file and its blocks.</summary>
    public override string ToString() => $"{Path}: block {string.Join(", ", Blocks.Take(10))}{(Blocks.Count > 10 ? ", …" : "")}";
}
