using System.Globalization;

namespace PgBackup.Bench;

/// <summary>Sizes of files and folders, and how they are written.</summary>
internal static class Sizes
{
    private static readonly EnumerationOptions s_everything = new() { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint };

    /// <summary>The bytes of a file, or of all files in a folder.</summary>
    public static long Of(string path) =>
        File.Exists(path) ? new FileInfo(path).Length : new DirectoryInfo(path).EnumerateFiles("*", s_everything).Sum(static f => f.Length);

    /// <summary>Reads a file, or all files in a folder, so that the page cache holds them.</summary>
    public static void Warm(string path, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[1 << 20];
        foreach (string file in File.Exists(path) ? [path] : Directory.EnumerateFiles(path, "*", s_everything))
        {
            cancellationToken.ThrowIfCancellationRequested();
            using FileStream stream = new(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            while (stream.Read(buffer) > 0)
            {
            }
        }
    }

    /// <summary><c>1,234 MB</c>: millions of bytes.</summary>
    public static string Megabytes(double bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:N0} MB");
}
