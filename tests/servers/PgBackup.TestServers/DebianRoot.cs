namespace PgBackup.TestServers;

/// <summary>
/// A folder into which packages of some release of Debian were unpacked. Its programs are run by its own loader with its own libraries, without entering it:
/// that takes neither mounts nor rights, and leaves nothing installed on the machine.
/// </summary>
public sealed class DebianRoot
{
    private readonly string _folder;
    private readonly string _loader;
    private readonly string[] _libraries;

    /// <summary>Looks at a root; throws when it is not there.</summary>
    public DebianRoot(string folder)
    {
        _folder = Directory.ResolveLinkTarget(folder, returnFinalTarget: true)?.FullName ?? folder;
        // Before Debian 13 the unpacked files of some libraries lie in /lib, and of others in /usr/lib.
        _libraries = [.. new[] { "lib", "usr/lib" }.Select(f => Path.Combine(_folder, f)).Where(Directory.Exists).SelectMany(f => Directory.EnumerateDirectories(f, "*-linux-gnu"))];
        _loader = _libraries.SelectMany(f => Directory.EnumerateFiles(f, "ld-linux-*.so.*")).FirstOrDefault()
            ?? throw new InvalidOperationException($"There are no programs in '{folder}'. './build.sh Test' puts them there.");
    }

    /// <summary>The full path of a folder of libraries, such as <c>ceph</c>.</summary>
    public string LibraryFolder(string name) => _libraries.Select(f => Path.Combine(f, name)).FirstOrDefault(Directory.Exists)
        ?? throw new InvalidOperationException($"There is no folder '{name}' among the libraries of '{_folder}'.");

    /// <summary>Writes a script that runs one of its programs, which then takes itself for that script when it starts itself again; returns the script's path.</summary>
    /// <param name="program">The program, relative to the root.</param>
    /// <param name="path">Where to write the script.</param>
    /// <param name="place">Where the script will be when it runs; null for where it is written.</param>
    public string WriteLauncher(string program, string path, string? place = null)
    {
        string quoted = string.Join(':', _libraries);
        File.WriteAllText(path, $"#!/bin/sh\nexec '{_loader}' --library-path '{quoted}' --argv0 '{place ?? path}' '{Path.Combine(_folder, program)}' \"$@\"\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, (UnixFileMode)0x1ed);
        return path;
    }

    /// <summary>How to run one of its programs with arguments.</summary>
    /// <param name="program">The program, of <c>/usr/bin</c>.</param>
    /// <param name="libraries">Further folders of libraries, as <see cref="LibraryFolder"/> returns them.</param>
    /// <param name="arguments">The program's own arguments.</param>
    /// <param name="prelude">For a program in Python: statements to run before it; null for none.</param>
    internal ServerCommand Command(string program, string[] libraries, IEnumerable<string> arguments, string? prelude = null)
    {
        string path = Path.Combine(_folder, "usr", "bin", program);
        if (!File.Exists(path))
            throw new InvalidOperationException($"There is no '{path}'. Remove '{_folder}', and './build.sh Test' makes it again.");
        string[] load = ["--library-path", string.Join(':', _libraries.Concat(libraries)), "--argv0"];
        using StreamReader file = File.OpenText(path);
        char[] start = new char[2];
        if (file.Read(start) != 2 || start is not ['#', '!'])
            return new ServerCommand(_loader, [.. load, path, path, .. arguments], []);
        string python = Path.Combine(_folder, "usr", "bin", "python3");
        string[] script = prelude is null ? [path] : ["-c", $"import sys, runpy; sys.argv = sys.argv[1:]; {prelude}; runpy.run_path(sys.argv[0], run_name='__main__')", path];
        return new ServerCommand(_loader, [.. load, python, python, "-s", .. script, .. arguments], new Dictionary<string, string>
        {
            ["PYTHONHOME"] = Path.Combine(_folder, "usr"),
            // Nothing in a root is compiled before it is first used; what is compiled shall stay, whatever our own environment says.
            ["PYTHONDONTWRITEBYTECODE"] = "",
        });
    }
}
