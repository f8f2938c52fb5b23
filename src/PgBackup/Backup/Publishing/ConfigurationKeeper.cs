using System.Buffers;
using System.Text.Json;
using PgBackup.Codecs;
using PgBackup.Platform;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Backup.Publishing;

/// <summary>
/// Keeps configuration from outside the data directory (Debian's <c>/etc/postgresql</c>) beside the backup: a tar whose first member, <see cref="KeptConfiguration.MemberName"/>,
/// says which file is which; the others are named by their path without the leading slash.
/// </summary>
internal static class ConfigurationKeeper
{
    // Configuration is text for people; whatever is larger is none.
    private const long SizeLimit = 16 << 20;

    /// <summary>Writes the tar; false when there is nothing outside, or nothing of it could be read.</summary>
    public static async Task<bool> KeepAsync(
        BackupRepository repository, BackupName name, BackupTarget target, IOperationLog log, CancellationToken cancellationToken)
    {
        ServerConfiguration configuration = target.ConfigurationFiles;
        var files = new List<(string Path, byte[] Content, FileFacts Facts)>();
        foreach (string path in configuration.Outside)
        {
            try
            {
                if (Posix.FactsOf(path, followLinks: true) is not { IsRegular: true } facts || facts.Size > SizeLimit)
                    continue;
                files.Add((path, await File.ReadAllBytesAsync(path, cancellationToken).ConfigureAwait(false), facts));
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                log.Warning($"The configuration file '{path}' was not kept beside the backup: {error.Message}");
            }
        }
        if (files.Count == 0)
            return false;

        var list = new KeptConfiguration(configuration.ConfigFile, configuration.HbaFile, configuration.IdentFile, target.DataDirectory);
        var tar = new ArrayBufferWriter<byte>();
        Append(tar, KeptConfiguration.MemberName, JsonSerializer.SerializeToUtf8Bytes(list, RepositoryJson.Default.KeptConfiguration), 0x180, 0);
        foreach ((string path, byte[] content, FileFacts facts) in files)
            Append(tar, path.TrimStart('/'), content, (int)facts.Permissions, facts.Modified.Seconds);
        TarHeader.WriteZeros(tar, TarHeader.TrailerLength);
        await ObjectEncoding.PutEncodedAsync(
            repository,
            RepositoryLayout.ConfigurationKey(name),
            CompressionMethod.Zstd,
            (stream, token) => stream.WriteAsync(tar.WrittenMemory, token).AsTask(),
            cancellationToken).ConfigureAwait(false);
        return true;
    }

    private static void Append(ArrayBufferWriter<byte> tar, string name, byte[] content, int permissions, long modifiedSeconds)
    {
        TarHeader.WriteFile(tar, name, content.Length, permissions, modifiedSeconds);
        tar.Write(content);
        TarHeader.WriteZeros(tar, TarHeader.PaddingOf(content.Length));
    }
}
