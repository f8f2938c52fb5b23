using System.Globalization;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Platform;

namespace PgBackup.Logical.Dump;

/// <summary>Writes a dump to a plain file or folder: under a temporary name beside, synced, and then under its own.</summary>
internal static class DumpFile
{
    public static async Task<DumpFileResult> RunAsync(
        DumpOptions options, string path, bool overwrite, Func<DumpSession, Task> whileSnapshot, IOperationLog log, IProgress<OperationProgress> progress, CancellationToken cancellationToken)
    {
        options.Check();
        CompressionMethod method = DumpDestination.Codec(options, path);
        if (!overwrite && Path.Exists(path))
            throw PgErrors.DumpFileExists(path);
        if (Path.GetDirectoryName(path) is not { } folder || !Directory.Exists(folder))
            throw PgErrors.DumpFolderMissing(path);
        DateTimeOffset start = DateTimeOffset.UtcNow;
        DumpSession session = await DumpSession.OpenAsync(options, cancellationToken).ConfigureAwait(false);
        await using (session.ConfigureAwait(false))
        {
            var watch = new DumpWatch(options, session.Tables.Tables.Count, log, progress);
            DumpProgram program = await DumpProgram.FindAsync(options, session, watch, log, cancellationToken).ConfigureAwait(false);
            string temporary = Path.Combine(folder, $".{Path.GetFileName(path)}.{Path.GetRandomFileName()}.tmp");
            DumpedBytes? dumped = null;
            long size;
            try
            {
                if (options.EffectiveFormat == DumpFormat.Directory)
                {
                    await program.IntoFolderAsync(program.Arguments(OwnCompression(options)), temporary, cancellationToken).ConfigureAwait(false);
                    size = SyncFolder(temporary);
                }
                else
                    (dumped, size) = await WriteAsync(options, program, temporary, method, cancellationToken).ConfigureAwait(false);
                Publish(temporary, path, overwrite);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw PgErrors.DumpFileFailed(path, error);
            }
            finally
            {
                Remove(temporary);
            }
            log.Information($"Dumped {options.Subject} of {session.Server} into '{path}'");
            await whileSnapshot(session).ConfigureAwait(false);
            return new DumpFileResult
            {
                Path = path,
                Content = options.Content,
                Database = options.Content == DumpContent.Database ? options.Subject : null,
                Format = options.EffectiveFormat,
                Size = new ByteSize(size),
                UncompressedSize = dumped is null ? null : new ByteSize(dumped.Bytes),
                Hash = dumped?.Hash,
                StartTime = start,
                FinishTime = DateTimeOffset.UtcNow,
                SnapshotLsn = session.SnapshotLsn,
                TableCount = options.Content == DumpContent.Database ? session.Tables.Tables.Count : null,
                Server = session.Server,
                ToolVersion = program.Tool.Version,
            };
        }
    }

    private static async Task<(DumpedBytes Dumped, long Size)> WriteAsync(
        DumpOptions options, DumpProgram program, string temporary, CompressionMethod method, CancellationToken cancellationToken)
    {
        var settings = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
            settings.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite; // As pg_dump's own umask would be right for nobody's data but the owner's.
        var file = new FileStream(temporary, settings);
        await using (file.ConfigureAwait(false))
        {
            ParallelEncoder encoder = ParallelEncoder.Open(file, method, method == CompressionMethod.None ? null : options.CompressionLevel, options.Workers);
            DumpedBytes dumped;
            await using (encoder.ConfigureAwait(false))
            {
                string[] own = options.EffectiveFormat == DumpFormat.Custom ? OwnCompression(options) : [];
                dumped = await program.StreamAsync(program.Arguments(own), encoder, cancellationToken).ConfigureAwait(false);
                await encoder.CompleteAsync(cancellationToken).ConfigureAwait(false);
            }
            file.Flush(flushToDisk: true);
            return (dumped, file.Length);
        }
    }

    // The archive is read by pg_restore alone: the compression in it is pg_dump's.
    private static string[] OwnCompression(DumpOptions options)
    {
        string level = options.CompressionLevel is { } l ? string.Create(CultureInfo.InvariantCulture, $":{l}") : "";
        return options.Compression switch
        {
            null => level.Length > 0 ? ["--compress=" + level[1..]] : [],
            CompressionMethod.None => ["--compress=0"],
            CompressionMethod.Gzip => [level.Length > 0 ? "--compress=" + level[1..] : "--compress=6"],
            { } method => [$"--compress={method.ToString().ToLowerInvariant()}{level}"],
        };
    }

    private static long SyncFolder(string folder)
    {
        long size = 0;
        foreach (string path in Directory.EnumerateFiles(folder))
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
            file.Flush(flushToDisk: true);
            size += file.Length;
        }
        Posix.SyncDirectory(folder);
        return size;
    }

    private static void Publish(string temporary, string path, bool overwrite)
    {
        if (Directory.Exists(temporary))
        {
            // A folder cannot be replaced by a rename: the old one goes aside, and comes back when the new one does not come.
            string? old = overwrite && Path.Exists(path) ? temporary + ".old" : null;
            if (old is not null)
                Directory.Move(path, old);
            try
            {
                Directory.Move(temporary, path);
            }
            catch when (old is not null)
            {
                Directory.Move(old, path);
                throw;
            }
            if (old is not null)
                Remove(old);
        }
        else if (overwrite && Directory.Exists(path))
            throw new IOException("There is a folder of that name.");
        else
            File.Move(temporary, path, overwrite);
        Posix.SyncDirectory(Path.GetDirectoryName(path)!);
    }

    private static void Remove(string path)
    {
        if (Directory.Exists(path))
            Directory.Delete(path, recursive: true);
        else
            File.Delete(path);
    }
}
