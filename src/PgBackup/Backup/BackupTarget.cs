using PgBackup.Postgres;

namespace PgBackup.Backup;

/// <summary>The cluster that is backed up, as the checks before a backup found it.</summary>
/// <param name="Server">Host and port.</param>
/// <param name="DataDirectory">Its data directory: on this host, or on its own.</param>
/// <param name="Traits">What initdb has fixed of it.</param>
/// <param name="Timeline">The timeline it was on.</param>
/// <param name="ServerVersion">The server's version.</param>
/// <param name="VersionNumber">The server's <c>server_version_num</c>.</param>
/// <param name="ConfigurationFiles">The configuration that lies outside the data directory.</param>
public sealed record BackupTarget(
    string Server,
    string DataDirectory,
    ClusterTraits Traits,
    TimelineId Timeline,
    Version ServerVersion,
    int VersionNumber,
    ServerConfiguration ConfigurationFiles)
{
    /// <summary>Whether it was in recovery: a standby.</summary>
    public bool IsStandby { get; init; }

    /// <summary>The server's host, as it was reached; null for this one. Times of files can be held against one another on one host alone.</summary>
    public string? Host { get; init; }
}

/// <summary>Where the server's configuration lies.</summary>
/// <param name="ConfigFile">The main file.</param>
/// <param name="HbaFile">Who may log in.</param>
/// <param name="IdentFile">The maps of user names.</param>
/// <param name="Outside">All files, included ones too, that lie outside the data directory and can be read here; they are kept beside the backup.</param>
public sealed record ServerConfiguration(string ConfigFile, string HbaFile, string IdentFile, IReadOnlyList<string> Outside);
