using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Storage;

namespace PgBackup.Copy;

/// <summary>An object of an unfinished copy that is in the destination, whole.</summary>
/// <param name="Key">Its key, the same in both repositories.</param>
/// <param name="Size">Its bytes.</param>
/// <param name="Modified">When the source's object was written: another one under the key is copied anew.</param>
internal sealed record JournalEntry(string Key, long Size, DateTimeOffset Modified);

/// <summary>The journal as it lies in the destination.</summary>
/// <param name="Version">1.</param>
/// <param name="Source">The repository that is copied from.</param>
/// <param name="UpdatedAt">When it was written.</param>
/// <param name="Objects">What is there.</param>
internal sealed record JournalDocument(int Version, string Source, DateTimeOffset UpdatedAt, IReadOnlyList<JournalEntry> Objects);

/// <summary>Reads and writes the journal without reflection.</summary>
[JsonSerializable(typeof(JournalDocument))]
internal sealed partial class CopyJson : JsonSerializerContext
{
}

/// <summary>
/// What a copy from one source has put into a destination for backups that are not listed there yet: after a kill the next run goes on from it.
/// Lies in the destination, is written every few seconds, and is gone when all is done.
/// </summary>
internal sealed class CopyJournal : IAsyncDisposable
{
    /// <summary>The folder of the journals, with its slash.</summary>
    public const string Folder = RepositoryLayout.PrivateFolder + "copies/";

    private const int CurrentVersion = 1;
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(3);

    private readonly IObjectStore _target;
    private readonly string _source;
    private readonly Dictionary<string, JournalEntry> _entries;
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private Task _writing = Task.CompletedTask;
    private bool _isBegun;
    private bool _isDirty;
    private bool _isStored;

    private CopyJournal(IObjectStore target, string source, Dictionary<string, JournalEntry> entries, bool isStored)
    {
        _target = target;
        _source = source;
        _entries = entries;
        _isStored = isStored;
    }

    private string Key => KeyFor(_source);

    /// <summary>Where the journal of a source lies: 16 lower-case digits, which wal-g takes for no segment.</summary>
    public static string KeyFor(string source) => $"{Folder}{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(source)), 0, 8)}.json";

    /// <summary>Reads what an earlier run left; one that cannot be read is passed over, and its objects are copied again.</summary>
    public static async Task<CopyJournal> LoadAsync(IObjectStore target, string source, CancellationToken cancellationToken)
    {
        var entries = new Dictionary<string, JournalEntry>(StringComparer.Ordinal);
        byte[]? content = await TryReadAsync(target, KeyFor(source), cancellationToken).ConfigureAwait(false);
        try
        {
            if (content is not null && JsonSerializer.Deserialize(content, CopyJson.Default.JournalDocument) is { Version: CurrentVersion, Objects: { } objects } document
                && document.Source == source)
            {
                foreach (JournalEntry entry in objects)
                    entries[entry.Key] = entry;
            }
        }
        catch (JsonException)
        {
            entries.Clear();
        }
        return new CopyJournal(target, source, entries, content is not null);
    }

    /// <summary>Whether an earlier run, or this one, has copied this very object.</summary>
    public bool Holds(StoredObject item)
    {
        lock (_lock)
            return _entries.TryGetValue(item.Key, out JournalEntry? entry) && entry.Size == item.Size && entry.Modified == item.LastModified;
    }

    /// <summary>Begins to write it out from time to time; before, nothing is written.</summary>
    public void Begin()
    {
        _isBegun = true;
        _writing = Task.Run(WriteFromTimeToTimeAsync);
    }

    /// <summary>Drops what lies in none of the folders.</summary>
    public void Keep(IReadOnlyCollection<string> folders)
    {
        var kept = folders.ToHashSet(StringComparer.Ordinal);
        lock (_lock)
        {
            foreach (string key in _entries.Keys.Where(k => !kept.Contains(FolderOf(k))).ToArray())
                _isDirty |= _entries.Remove(key);
        }
    }

    /// <summary>Notes an object that is in the destination, proven.</summary>
    public void Add(StoredObject item)
    {
        lock (_lock)
        {
            _entries[item.Key] = new JournalEntry(item.Key, item.Size, item.LastModified);
            _isDirty = true;
        }
    }

    /// <summary>Drops what lies in a folder: its backup is listed, which says more.</summary>
    public void Forget(string folder)
    {
        lock (_lock)
        {
            foreach (string key in _entries.Keys.Where(k => FolderOf(k) == folder).ToArray())
                _isDirty |= _entries.Remove(key);
        }
    }

    /// <summary>Writes what is left to be known by a later run; with nothing left the journal is removed.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _writing.ConfigureAwait(false);
        _stop.Dispose();
        if (!_isBegun)
            return;
        try
        {
            await WriteAsync().ConfigureAwait(false);
        }
        catch (PgBackupException)
        {
            // The store has gone, which is told by what made us end. A journal that is behind costs the next run time, nothing else.
        }
    }

    // basebackups_005/<backup>/
    private static string FolderOf(string key) => key[..(key.IndexOf('/', Math.Min(key.Length, RepositoryLayout.BackupFolder.Length)) + 1)];

    private static async Task<byte[]?> TryReadAsync(IObjectStore target, string key, CancellationToken cancellationToken)
    {
        try
        {
            return await target.TryReadAllAsync(key, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id == "RepositoryNotFound")
        {
            return null;
        }
    }

    private async Task WriteFromTimeToTimeAsync()
    {
        try
        {
            TimeSpan pause = s_interval;
            while (true)
            {
                await Task.Delay(pause, _stop.Token).ConfigureAwait(false);
                var clock = System.Diagnostics.Stopwatch.StartNew();
                try
                {
                    await WriteAsync().ConfigureAwait(false);
                }
                catch (PgBackupException)
                {
                    // The next time decides; the copy itself tells when the store is gone for good.
                }
                // A long journal must not take the store's time from the copy.
                pause = s_interval + (clock.Elapsed * 20);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The end writes it once more.
        }
    }

    private async Task WriteAsync()
    {
        JournalEntry[] entries;
        lock (_lock)
        {
            if (!_isDirty && (_entries.Count > 0 || !_isStored))
                return;
            entries = [.. _entries.Values];
            _isDirty = false;
        }
        try
        {
            if (entries.Length == 0)
            {
                if (_isStored)
                    await _target.DeleteAsync([Key]).ConfigureAwait(false);
                _isStored = false;
                return;
            }
            var document = new JournalDocument(CurrentVersion, _source, DateTimeOffset.UtcNow, entries);
            await _target.PutAsync(Key, JsonSerializer.SerializeToUtf8Bytes(document, CopyJson.Default.JournalDocument)).ConfigureAwait(false);
            _isStored = true;
        }
        catch (PgBackupException)
        {
            lock (_lock)
                _isDirty = true;
            throw;
        }
    }
}
