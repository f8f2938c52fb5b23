using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Storage.S3;

namespace PgBackup.Verification.Doctor;

/// <summary>What the checks of one run know and learn.</summary>
internal sealed class DoctorContext(RepositorySettings settings, DoctorOptions options) : IDisposable
{
    private const int MostRetries = 2;

    private BackupRepository? _repository;
    private RecentBackups? _backups;
    private WalSample? _wal;

    public RepositorySettings Settings { get; } = settings;

    public DoctorOptions Options { get; } = options;

    public ProbeFolder Probes { get; } = new();

    /// <summary>The repository; opened by the first who asks. Throws what opening throws.</summary>
    public BackupRepository Repository => _repository ??= BackupRepository.Open(Settings with { Storage = Impatient(Settings.Storage) });

    public IObjectStore Store => Repository.Store;

    public bool IsOpen => _repository is not null;

    /// <summary>What the store said of itself.</summary>
    public StoreDescription? Description { get; set; }

    /// <summary>Why the store does not know us.</summary>
    public PgBackupException? CredentialFailure { get; set; }

    /// <summary>An object to try reading on: the probe that was put, else one that is there.</summary>
    public StoredObject? Subject { get; set; }

    /// <summary>What the subject holds; null when it is not ours.</summary>
    public byte[]? SubjectContent { get; set; }

    /// <summary>The store's clock minus ours, as a probe's time told it; null until then.</summary>
    public TimeSpan? ProbedSkew { get; set; }

    /// <summary>Why the rest cannot be tried; null while it can.</summary>
    public string? Unusable { get; set; }

    /// <summary>Whether objects can be deleted; null until it was tried.</summary>
    public bool? CanDelete { get; set; }

    /// <summary>The repository as its user names it.</summary>
    public string Location => Settings.Location;

    /// <summary>The store's time now, as far as its clock is known.</summary>
    public DateTimeOffset StoreNow => DateTimeOffset.UtcNow + (Description?.ClockSkew ?? ProbedSkew ?? TimeSpan.Zero);

    /// <summary>The newest backups; loaded once.</summary>
    public async Task<RecentBackups> BackupsAsync(CancellationToken cancellationToken) =>
        _backups ??= await RecentBackups.LoadAsync(Repository, cancellationToken).ConfigureAwait(false);

    /// <summary>The first objects of the archive; loaded once.</summary>
    public async Task<WalSample> WalAsync(CancellationToken cancellationToken) =>
        _wal ??= await WalSample.LoadAsync(Repository, cancellationToken).ConfigureAwait(false);

    /// <summary>Closes the store's connections.</summary>
    public void Dispose() => (_repository?.Store as IDisposable)?.Dispose();

    // A store that does not answer shall be told of in seconds, and one that fails every other time shall not pass for a good one.
    private static StorageSettings Impatient(StorageSettings storage) => storage is S3Settings s3 ? s3 with { MaxRetries = Math.Min(s3.MaxRetries, MostRetries) } : storage;
}
