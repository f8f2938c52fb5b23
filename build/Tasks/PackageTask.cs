using System.IO.Compression;

namespace PgBackup.Build.Tasks;

/// <summary>Puts the staged module into one archive; unpacked into a folder of PSModulePath it is installed.</summary>
internal sealed class PackageTask : BuildTask
{
    /// <inheritdoc/>
    public override string Name => "Package";

    /// <inheritdoc/>
    public override string Summary => "build, and pack the module into out/PgBackup-<version>.zip";

    /// <inheritdoc/>
    public override async Task<int> RunAsync(string[] arguments)
    {
        int code = await new BuildModuleTask().RunAsync([]);
        if (code != 0)
            return code;
        string archive = Path.Combine(Layout.Out, $"PgBackup-{Layout.Version}.zip");
        File.Delete(archive);
        await ZipFile.CreateFromDirectoryAsync(Layout.Module, archive, CompressionLevel.SmallestSize, includeBaseDirectory: true);
        Console.WriteLine($"The package is {archive}");
        return 0;
    }
}
