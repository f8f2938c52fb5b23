using System.Globalization;

namespace PgBackup.Bench;

/// <summary>The machine in words, without its name.</summary>
internal static class Machine
{
    /// <summary>Processors, memory, kernel, and the file system of the benchmark's folder.</summary>
    public static string Describe(string folder)
    {
        string model = Field("/proc/cpuinfo", "model name") ?? "unknown processor";
        double memory = double.Parse(Field("/proc/meminfo", "MemTotal")!.Split(' ')[0], CultureInfo.InvariantCulture) / (1 << 20);
        string kernel = File.ReadAllText("/proc/sys/kernel/osrelease").Split('-')[0].Trim();
        string fileSystem = new DriveInfo(folder).DriveFormat;
        return string.Create(
            CultureInfo.InvariantCulture, $"{Environment.ProcessorCount} cores ({model}), {memory:F0} GiB of memory, Linux {kernel}, {fileSystem}, .NET {Environment.Version}");
    }

    private static string? Field(string file, string name) =>
        File.ReadLines(file).FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal))?.Split(':', 2)[1].Trim();
}
