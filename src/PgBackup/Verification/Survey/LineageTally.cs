using System.Globalization;
using PgBackup.Repository.Documents;

namespace PgBackup.Verification.Survey;

/// <summary>What the sentinels say together: clusters, oldest and newest, encryption. Called from several threads.</summary>
internal sealed class LineageTally
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, Entry> _clusters = [];
    private int _encrypted;
    private int _plain;
    private int _silent;

    public long DamagedCount { get; private set; }

    public (string Name, DateTimeOffset Time)? Oldest { get; private set; }

    public (string Name, DateTimeOffset Time)? Newest { get; private set; }

    /// <summary>True or false when the newest backups' writer said so of all; null when nobody said, or they differ.</summary>
    public bool? IsEncrypted => _silent > 0 || (_encrypted > 0 && _plain > 0) || _encrypted + _plain == 0 ? null : _encrypted > 0;

    public IReadOnlyList<RepositoryLineage> Lineages =>
        [.. _clusters.OrderBy(c => c.Value.Newest ?? DateTimeOffset.MinValue).Select(c => new RepositoryLineage(c.Key, c.Value.Version, c.Value.Count, c.Value.Oldest, c.Value.Newest))];

    /// <summary>A cluster that may have no backup yet.</summary>
    public void Add(ClusterIdentity identity)
    {
        lock (_lock)
        {
            if (!_clusters.ContainsKey(identity.SystemIdentifier))
                _clusters[identity.SystemIdentifier] = new Entry { Version = identity.PgVersion.ToString(CultureInfo.InvariantCulture) };
        }
    }

    /// <summary>A backup; without a sentinel when that cannot be read.</summary>
    public void Add(BackupTally backup, BackupSentinel? sentinel)
    {
        lock (_lock)
        {
            DateTimeOffset time = (sentinel?.StartTime ?? backup.Published).ToUniversalTime();
            if (Oldest is null || time < Oldest.Value.Time)
                Oldest = (backup.Name.Text, time);
            if (Newest is null || time > Newest.Value.Time)
                Newest = (backup.Name.Text, time);
            if (sentinel is null)
            {
                DamagedCount++;
                return;
            }
            _ = sentinel.PgBackup?.Encrypted switch { true => _encrypted++, false => _plain++, null => _silent++ };
            if (sentinel.SystemIdentifier is not (> 0 and { } cluster))
                return;
            if (!_clusters.TryGetValue(cluster, out Entry? entry))
                _clusters[cluster] = entry = new Entry();
            entry.Add(time, sentinel.PgVersion);
        }
    }

    private sealed class Entry
    {
        public string? Version { get; set; }

        public long Count { get; private set; }

        public DateTimeOffset? Oldest { get; private set; }

        public DateTimeOffset? Newest { get; private set; }

        // server_version_num: 150018 is 15.18.
        public void Add(DateTimeOffset time, int? version)
        {
            Count++;
            if (Oldest is null || time < Oldest)
                Oldest = time;
            if (Newest is not null && time < Newest)
                return;
            Newest = time;
            if (version is > 0)
                Version = string.Create(CultureInfo.InvariantCulture, $"{version.Value / 10000}.{version.Value % 10000}");
        }
    }
}
