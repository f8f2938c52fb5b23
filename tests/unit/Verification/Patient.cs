using PgBackup.Codecs;
using PgBackup.Configuration;
using PgBackup.Storage;
using PgBackup.Verification.Doctor;

namespace PgBackup.Tests.Verification;

/// <summary>A repository for the doctor, and what it said of it.</summary>
internal static class Patient
{
    public static RepositorySettings Settings(StorageSettings storage, EncryptionKey? key = null) => new(storage, CompressionMethod.Zstd, null, key);

    public static RepositorySettings Settings(string folder, EncryptionKey? key = null) => Settings(new DirectorySettings(folder), key);

    /// <summary>All checks, with little to send.</summary>
    public static async Task<IReadOnlyList<RepositoryCheck>> ExamineAsync(RepositorySettings settings, DoctorOptions? options = null)
    {
        var found = new List<RepositoryCheck>();
        await foreach (RepositoryCheck check in new RepositoryDoctor(settings, (options ?? new DoctorOptions()) with { ThroughputBytes = 4 << 20 }).RunAsync())
            found.Add(check);
        return found;
    }

    /// <summary>One check.</summary>
    public static async Task<RepositoryCheck> ExamineAsync(RepositorySettings settings, RepositoryCheckName name, bool skipWrite = false) =>
        (await ExamineAsync(settings, new DoctorOptions { Only = [name], SkipWrite = skipWrite })).Single(c => c.Name == name);
}
