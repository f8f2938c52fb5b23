using System.Formats.Tar;
using PgBackup.Errors;
using PgBackup.Postgres.Files;

namespace PgBackup.Repository;

/// <summary>Single small files out of a backup's parts.</summary>
internal static class BackupMembers
{
    /// <summary>The control file of a backup. Throws <c>ObjectMissing</c>, <c>BackupDamaged</c>, <c>EncryptionKeyInvalid</c>.</summary>
    public static async Task<ControlFile> ReadControlFileAsync(BackupRepository repository, BackupName name, CancellationToken cancellationToken)
    {
        BackupParts parts = await BackupParts.ListAsync(repository, name, cancellationToken).ConfigureAwait(false);
        parts.Require(repository.Location, isTarget: true);
        string key = parts.Control!.Value.Key;
        byte[]? content = await ReadMemberAsync(repository, name, key, "global/pg_control", cancellationToken).ConfigureAwait(false);
        return content is null
            ? throw PgErrors.BackupDamaged(repository.Location, name.Text, $"'{key}' does not hold global/pg_control.")
            : ControlFile.Parse(content, key);
    }

    /// <summary>A small member of a part; null when it is not there.</summary>
    public static async Task<byte[]?> ReadMemberAsync(BackupRepository repository, BackupName name, string key, string relative, CancellationToken cancellationToken)
    {
        try
        {
            Stream decoded = await repository.OpenDecodedAsync(key, cancellationToken).ConfigureAwait(false);
            await using (decoded.ConfigureAwait(false))
            {
                var reader = new TarReader(decoded, leaveOpen: true);
                await using (reader.ConfigureAwait(false))
                {
                    while (await reader.GetNextEntryAsync(copyData: false, cancellationToken).ConfigureAwait(false) is { } entry)
                    {
                        if (entry.DataStream is null || entry.Length > 1 << 20 || MemberPath.Normalize(entry.Name) != relative)
                            continue;
                        byte[] content = new byte[entry.Length];
                        await entry.DataStream.ReadExactlyAsync(content, cancellationToken).ConfigureAwait(false);
                        return content;
                    }
                }
            }
            return null;
        }
        catch (Exception error) when (error is InvalidDataException or EndOfStreamException or FormatException or PgBackupException { Id: "ObjectDamaged" })
        {
            throw PgErrors.BackupDamaged(repository.Location, name.Text, $"{key}: {error.Message}", error);
        }
    }
}
