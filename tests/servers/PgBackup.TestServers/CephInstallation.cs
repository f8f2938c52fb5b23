namespace PgBackup.TestServers;

/// <summary>The programs of one Ceph.</summary>
public sealed class CephInstallation
{
    private readonly DebianRoot _root;

    private CephInstallation(string name, string folder)
    {
        Name = name;
        _root = new DebianRoot(folder);
        ClassFolder = _root.LibraryFolder("rados-classes");
        PluginFolder = _root.LibraryFolder("ceph");
    }

    /// <summary>The newest Ceph that could be had.</summary>
    public static CephInstallation Current => new("ceph-current", ServerCache.CurrentCeph);

    /// <summary>Ceph 16.2, as Debian 12 has it.</summary>
    public static CephInstallation Old => new("ceph-16", ServerCache.OldCeph);

    /// <summary>The kind of server, as the command line calls it.</summary>
    public string Name { get; }

    /// <summary>Where the OSD finds its classes.</summary>
    public string ClassFolder { get; }

    /// <summary>Where all of Ceph finds what it loads.</summary>
    public string PluginFolder { get; }

    internal ServerCommand Command(string program, IEnumerable<string> arguments) => _root.Command(program, [PluginFolder], arguments);
}
