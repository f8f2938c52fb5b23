namespace PgBackup.Tests.Kit;

/// <summary>A fresh folder that every account may walk through, removed with everything in it on dispose.</summary>
public sealed class TempFolder : IDisposable
{
    internal const UnixFileMode Traversable =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private static int s_count;

    /// <summary>Creates the folder.</summary>
    public TempFolder()
    {
        Path = System.IO.Path.Combine(TestRun.Root, Interlocked.Increment(ref s_count).ToString(System.Globalization.CultureInfo.InvariantCulture));
        Directory.CreateDirectory(Path);
        File.SetUnixFileMode(Path, Traversable);
    }

    /// <summary>The folder's full path.</summary>
    public string Path { get; }

    /// <summary>The path of something in the folder.</summary>
    public string Combine(params ReadOnlySpan<string> parts) => System.IO.Path.Combine([Path, .. parts]);

    /// <inheritdoc/>
    public override string ToString() => Path;

    /// <inheritdoc/>
    public void Dispose()
    {
        for (int attempt = 1; Directory.Exists(Path); attempt++)
        {
            try
            {
                Directory.Delete(Path, recursive: true);
            }
            catch (IOException) when (attempt < 20)
            {
                // A server that is going down still writes.
                Thread.Sleep(50);
            }
        }
    }
}
