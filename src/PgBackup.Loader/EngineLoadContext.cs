using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Loader;

namespace PgBackup.Loader;

/// <summary>
/// Where the engine and its dependencies live, apart from what the session or other modules have loaded. Assemblies come from the
/// module's folder first, native libraries from there only.
/// </summary>
internal sealed class EngineLoadContext(string folder) : AssemblyLoadContext("PgBackup")
{
    internal const string EngineName = "PgBackup.Engine";

    // Libraries of the operating system itself; everything else that the engine calls is shipped with it.
    private static readonly HashSet<string> s_systemLibraries = new(StringComparer.OrdinalIgnoreCase) { "libc", "kernel32", "kernel32.dll" };

    /// <inheritdoc/>
    protected override Assembly? Load(AssemblyName assemblyName)
    {
        string path = Path.Combine(folder, assemblyName.Name + ".dll");
        // Null leaves it to the default context: the runtime's own assemblies.
        return File.Exists(path) ? LoadFromAssemblyPath(path) : null;
    }

    /// <inheritdoc/>
    protected override nint LoadUnmanagedDll(string unmanagedDllName)
    {
        if (s_systemLibraries.Contains(unmanagedDllName))
            return nint.Zero;
        foreach (string directory in NativeFolders())
        {
            foreach (string file in FileNames(unmanagedDllName))
            {
                string path = Path.Combine(directory, file);
                if (File.Exists(path))
                    return LoadUnmanagedDllFromPath(path);
            }
        }
        // Zero would let the runtime look through the system's folders and take another version without a word.
        throw new DllNotFoundException(
            $"The module has no native library '{unmanagedDllName}' for {RuntimeInformation.RuntimeIdentifier} under '{Path.Combine(folder, "runtimes")}'.");
    }

    private IEnumerable<string> NativeFolders()
    {
        string system = OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux";
        string architecture = RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        // A musl system names itself so in the runtime's identifier; its own build goes before the one for glibc.
        foreach (string rid in new[] { RuntimeInformation.RuntimeIdentifier, $"{system}-{architecture}" })
            yield return Path.Combine(folder, "runtimes", rid, "native");
    }

    private static IEnumerable<string> FileNames(string name)
    {
        string extension = OperatingSystem.IsWindows() ? ".dll" : OperatingSystem.IsMacOS() ? ".dylib" : ".so";
        yield return name;
        yield return name + extension;
        yield return "lib" + name + extension;
    }
}
