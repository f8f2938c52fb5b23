using System.Collections.Concurrent;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Repository.Documents;
using PgBackup.Storage;

namespace PgBackup.Repository;

/// <summary>
/// The right to take a backup into a repository, to copy backups into it, or (both at once, <see cref="MaintenanceLease"/>) to remove some: an object that its holder renews. It stands beside the advisory lock in the server, which says
/// nothing of another server that writes here. A holder that died gives way: at once when it ran on this host, else (in another container, before the
/// machine was started anew) <see cref="LapsesAfter"/> after its last renewal.
/// </summary>
public sealed class BackupLease : IAsyncDisposable
{
    /// <summary>Where the lease of a backup lies.</summary>
    public const string Key = RepositoryLayout.PrivateFolder + "in_progress.json";

    /// <summary>Where the lease of a copy into the repository lies: backups go on beside it, under other names.</summary>
    public const string CopyKey = RepositoryLayout.PrivateFolder + "copy_in_progress.json";

    /// <summary>How long a silent holder is believed to live.</summary>
    public static readonly TimeSpan LapsesAfter = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan s_renewEvery = TimeSpan.FromSeconds(30);

    /// <summary>How long a holder on another host, whose lease has lapsed, is listened for; two renewals and some time.</summary>
    internal static TimeSpan ListensFor { get; set; } = s_renewEvery * 2.5;

    // What this process holds: a lease of ours that is not among them was left by a run that could not give it back.
    private static readonly ConcurrentDictionary<string, bool> s_held = new(StringComparer.Ordinal);

    private readonly BackupRepository _repository;
    private readonly string _key;
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _renewal;
    private LeaseRecord _record;
    private volatile Exception? _lost;

    private BackupLease(BackupRepository repository, string key, LeaseRecord record)
    {
        _repository = repository;
        _key = key;
        _record = record;
        _renewal = Task.Run(RenewAsync);
    }

    /// <summary>The dead holder over whom the lease was taken; null when there was none, or none that could be read.</summary>
    public LeaseRecord? Predecessor { get; private init; }

    /// <summary>Takes the lease of a backup, over a dead holder where there is one. Throws <c>BackupInProgress</c>.</summary>
    public static Task<BackupLease> AcquireAsync(BackupRepository repository, string purpose, CancellationToken cancellationToken = default) =>
        AcquireAsync(repository, Key, purpose, cancellationToken);

    /// <summary>Takes the lease of a copy, over a dead holder where there is one. Throws <c>CopyInProgress</c>.</summary>
    public static Task<BackupLease> AcquireForCopyAsync(BackupRepository repository, string purpose, CancellationToken cancellationToken = default) =>
        AcquireAsync(repository, CopyKey, purpose, cancellationToken);

    private static async Task<BackupLease> AcquireAsync(BackupRepository repository, string key, string purpose, CancellationToken cancellationToken)
    {
        using var self = Process.GetCurrentProcess();
        DateTimeOffset now = DateTimeOffset.UtcNow;
        var record = new LeaseRecord(
            Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8)), purpose, Environment.MachineName, self.Id, self.StartTime.ToUniversalTime(), now, now,
            ProcessScope.Current);
        s_held[record.Token] = true; // Before anybody can read it: without this it would pass for one that was left behind.
        try
        {
            LeaseRecord? dead = await TakeAsync(repository, key, record, cancellationToken).ConfigureAwait(false);
            return new BackupLease(repository, key, record) { Predecessor = dead };
        }
        catch
        {
            s_held.TryRemove(record.Token, out _);
            throw;
        }
    }

    /// <summary>Who takes a backup now, if anybody who lives does.</summary>
    public static Task<LeaseRecord?> CurrentAsync(BackupRepository repository, CancellationToken cancellationToken = default) =>
        CurrentAsync(repository, Key, cancellationToken);

    /// <summary>Who copies into the repository now, if anybody who lives does.</summary>
    public static Task<LeaseRecord?> CurrentCopyAsync(BackupRepository repository, CancellationToken cancellationToken = default) =>
        CurrentAsync(repository, CopyKey, cancellationToken);

    private static async Task<LeaseRecord?> CurrentAsync(BackupRepository repository, string key, CancellationToken cancellationToken) =>
        await TryReadAsync(repository, key, cancellationToken).ConfigureAwait(false) is { } record && IsAlive(record) ? record : null;

    /// <summary>Says what the lease is for, once the backup has a name.</summary>
    public async Task RenameAsync(string purpose, CancellationToken cancellationToken = default)
    {
        await RequireHeldAsync(cancellationToken).ConfigureAwait(false); // Suspended for long, it may be another's.
        lock (_lock)
            _record = _record with { Backup = purpose };
        await WriteAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Proves that the lease is still ours; to be asked right before a backup is published. Throws <c>LeaseLost</c>.</summary>
    public async Task RequireHeldAsync(CancellationToken cancellationToken = default)
    {
        if (_lost is not null)
            throw _lost;
        LeaseRecord? holder = await TryReadAsync(_repository, _key, cancellationToken).ConfigureAwait(false);
        if (holder?.Token != _record.Token)
            throw PgErrors.LeaseLost(_repository.Location, holder is null ? "unknown" : $"{holder.HostName}, process {holder.ProcessId}");
    }

    /// <summary>Gives the lease back.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _renewal.ConfigureAwait(false);
        _stop.Dispose();
        try
        {
            LeaseRecord? holder = await TryReadAsync(_repository, _key, CancellationToken.None).ConfigureAwait(false);
            if (holder?.Token == _record.Token)
                await _repository.Store.DeleteAsync([_key]).ConfigureAwait(false);
        }
        catch (PgBackupException)
        {
            // The store has gone. It must not make a failure of a backup that is published, nor hide why one failed; the lease gives way by itself.
        }
        finally
        {
            s_held.TryRemove(_record.Token, out _);
        }
    }

    /// <summary>Returns the dead holder that had to give way.</summary>
    private static async Task<LeaseRecord?> TakeAsync(BackupRepository repository, string key, LeaseRecord record, CancellationToken cancellationToken)
    {
        LeaseRecord? dead = null;
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                await repository.Store.PutAsync(key, Serialize(record), PutCondition.IfAbsent, cancellationToken).ConfigureAwait(false);
                return dead;
            }
            catch (PgBackupException error) when (error.Id == "ObjectExists" && attempt < 3)
            {
                LeaseRecord? holder = await TryReadAsync(repository, key, cancellationToken).ConfigureAwait(false);
                if (holder is null ? !await IsOldAsync(repository, key, cancellationToken).ConfigureAwait(false) : IsAlive(holder))
                    throw Busy(repository, key, holder);
                if (holder is not null && !IsOfHere(holder))
                    await RequireSilentAsync(repository, key, holder, cancellationToken).ConfigureAwait(false);
                await repository.Store.DeleteAsync([key], cancellationToken).ConfigureAwait(false);
                dead = holder ?? dead;
            }
        }
    }

    /// <summary>Of a holder on another host only its clock says that it died, and clocks differ: one that lives renews.</summary>
    private static async Task RequireSilentAsync(BackupRepository repository, string key, LeaseRecord holder, CancellationToken cancellationToken)
    {
        await Task.Delay(ListensFor, cancellationToken).ConfigureAwait(false);
        LeaseRecord? later = await TryReadAsync(repository, key, cancellationToken).ConfigureAwait(false);
        if (later is not null && (later.Token != holder.Token || later.RenewedAt != holder.RenewedAt))
            throw Busy(repository, key, later);
    }

    private static PgBackupException Busy(BackupRepository repository, string key, LeaseRecord? holder) => holder is null
        ? PgErrors.LeaseUnreadable(repository.Location, key)
        : MaintenanceLease.IsPurpose(holder.Backup) ? PgErrors.MaintenanceInProgress(repository.Location, holder.Backup, holder.HostName, holder.ProcessId, holder.Since)
        : key == CopyKey
            ? PgErrors.CopyInProgress(repository.Location, holder.Backup, holder.HostName, holder.ProcessId, holder.Since)
            : PgErrors.BackupInProgress(repository.Location, holder.Backup, holder.HostName, holder.ProcessId, holder.Since);

    private async Task RenewAsync()
    {
        try
        {
            while (_lost is null)
            {
                await Task.Delay(s_renewEvery, _stop.Token).ConfigureAwait(false);
                try
                {
                    await RequireHeldAsync(_stop.Token).ConfigureAwait(false);
                    await WriteAsync(_stop.Token).ConfigureAwait(false);
                }
                catch (PgBackupException error) when (error.Id == "LeaseLost")
                {
                    _lost = error; // Told when the backup is about to be published.
                }
                catch (PgBackupException)
                {
                    // The store did not answer. A day's work is not given up for that: the next time decides, and the last look before publishing.
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Given back.
        }
    }

    private Task WriteAsync(CancellationToken cancellationToken)
    {
        byte[] content;
        lock (_lock)
        {
            _record = _record with { RenewedAt = DateTimeOffset.UtcNow };
            content = Serialize(_record);
        }
        return _repository.Store.PutAsync(_key, content, PutCondition.None, cancellationToken);
    }

    private static byte[] Serialize(LeaseRecord record) => JsonSerializer.SerializeToUtf8Bytes(record, RepositoryJson.Default.LeaseRecord);

    private static async Task<bool> IsOldAsync(BackupRepository repository, string key, CancellationToken cancellationToken) =>
        await repository.Store.StatAsync(key, cancellationToken).ConfigureAwait(false) is not { } item || DateTimeOffset.UtcNow - item.LastModified >= LapsesAfter;

    /// <summary>Null when there is none, or none that can be read.</summary>
    private static async Task<LeaseRecord?> TryReadAsync(BackupRepository repository, string key, CancellationToken cancellationToken)
    {
        byte[]? content = await repository.Store.TryReadAllAsync(key, cancellationToken).ConfigureAwait(false);
        if (content is null)
            return null;
        try
        {
            return JsonSerializer.Deserialize(content, RepositoryJson.Default.LeaseRecord) is { Token: not null, HostName: not null } record ? record : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static bool IsOfHere(LeaseRecord holder) => holder.HostName == Environment.MachineName && holder.ProcessScope == ProcessScope.Current;

    private static bool IsAlive(LeaseRecord holder)
    {
        if (IsOfHere(holder) && !IsRunning(holder))
            return false;
        // A clock that runs ahead makes the age negative: then the holder is taken to live.
        return DateTimeOffset.UtcNow - holder.RenewedAt < LapsesAfter;
    }

    private static bool IsRunning(LeaseRecord holder)
    {
        if (holder.ProcessId == Environment.ProcessId)
            return s_held.ContainsKey(holder.Token);
        try
        {
            using var process = Process.GetProcessById(holder.ProcessId);
            return Math.Abs((process.StartTime.ToUniversalTime() - holder.ProcessStarted.UtcDateTime).TotalSeconds) < 5;
        }
        catch (Exception error) when (error is ArgumentException or InvalidOperationException)
        {
            return false; // No such process, or no more.
        }
    }
}
