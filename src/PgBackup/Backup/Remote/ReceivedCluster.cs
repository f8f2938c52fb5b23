using System.Runtime.CompilerServices;
using System.Text;
using PgBackup.Backup.Packing;
using PgBackup.Backup.Reading;
using PgBackup.Platform;
using PgBackup.Postgres;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.Replication;

namespace PgBackup.Backup.Remote;

/// <summary>
/// Cuts the archives that a server sends anew into our members and frames, in the layout of a local backup: names with a leading slash, tablespaces below
/// <c>/pg_tblspc</c>, the labels and the control file apart. What a local backup leaves out is read, checked against the manifest and left out.
/// What does not agree is <see cref="InvalidDataException"/>.
/// </summary>
internal sealed class ReceivedCluster(BaseBackupStream backup, FrameCutter cutter, ReceivedPacker packer, IOperationLog log)
{
    // Far above any label; a map has a line for each tablespace.
    private const int LargestSmallFile = 16 << 20;
    private const int ScratchSize = 256 << 10;

    // drwx------: the data directory itself has no header in the server's archive.
    private const int RootPermissions = 0x1C0;

    private readonly ReceivedFiles _files = new();
    private readonly byte[] _scratch = new byte[ScratchSize];

    /// <summary>The content of pg_control; complete when all has come.</summary>
    public byte[]? ControlFile { get; private set; }

    /// <summary>The content of backup_label.</summary>
    public byte[]? Label { get; private set; }

    /// <summary>The content of tablespace_map; empty without tablespaces.</summary>
    public byte[] TablespaceMap { get; private set; } = [];

    /// <summary>The WAL that the manifest names.</summary>
    public IReadOnlyList<ManifestWal> Wal { get; private set; } = [];

    /// <summary>The bytes of the files that came.</summary>
    public long Bytes { get; private set; }

    /// <summary>The frames in order. After the last one everything has been held against the manifest.</summary>
    public async IAsyncEnumerable<FrameJob> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        cutter.AddFolder("/", RootPermissions, new FileTime(DateTimeOffset.UtcNow.ToUnixTimeSeconds(), 0));
        while (await backup.NextAsync(cancellationToken).ConfigureAwait(false) is { } archive)
        {
            if (archive.IsManifest)
            {
                Wal = await new ManifestCheck(_files).ReadAsync(archive.Content, cancellationToken).ConfigureAwait(false);
                continue;
            }
            byte[] prefix = archive.Tablespace!.Oid is { } oid ? Encoding.ASCII.GetBytes($"pg_tblspc/{oid}/") : [];
            var tar = new ServerTar(archive.Content);
            while (await tar.NextAsync(cancellationToken).ConfigureAwait(false) is { } header)
            {
                var member = new ReceivedMember(header, [.. prefix, .. header.Name]);
                if (header.Kind == ServerTarKind.Folder)
                    AddFolder(member);
                else if (header.Kind == ServerTarKind.File && await TakeApartAsync(tar, member, cancellationToken).ConfigureAwait(false))
                    continue;
                else if (header.Kind == ServerTarKind.File)
                {
                    var content = new ReceivedContent(tar, header.Size);
                    await foreach (FrameJob frame in packer.PackAsync(member, content, cancellationToken).ConfigureAwait(false))
                        yield return frame;
                    Note(member, content.State);
                }
                while (cutter.TryTake(out ReceivedFrame? frame))
                    yield return frame;
            }
        }
        cutter.EndPart();
        while (cutter.TryTake(out ReceivedFrame? frame))
            yield return frame;
    }

    private void AddFolder(ReceivedMember member)
    {
        if (member.Name is null)
            log.Warning($"The folder '{member.Display}' was left out: its name is not UTF-8.");
        else if (!member.IsInExcludedFolder)
            cutter.AddFolder(member.Name, member.Header.Mode, member.Modified);
    }

    /// <summary>True for a file that is no member of a data part: kept for another part, or left out.</summary>
    private async Task<bool> TakeApartAsync(ServerTar tar, ReceivedMember member, CancellationToken cancellationToken)
    {
        switch (member.Name)
        {
            case "/" + Postgres.Files.ControlFile.RelativePath:
                ControlFile = await ReadSmallAsync(tar, member, cancellationToken).ConfigureAwait(false);
                return true;
            case "/" + BackupLabel.FileName:
                Label = await ReadSmallAsync(tar, member, cancellationToken).ConfigureAwait(false);
                return true;
            case "/" + Postgres.Files.TablespaceMap.FileName:
                TablespaceMap = await ReadSmallAsync(tar, member, cancellationToken).ConfigureAwait(false);
                return true;
            case null:
                log.Warning($"The file '{member.Display}' was left out: its name is not UTF-8. PostgreSQL makes no such files; move it out of the data directory.");
                break;
            default:
                if (!member.IsInExcludedFolder && !ExclusionRules.LeavesOut(member.FileName, member.IsAtTop))
                    return false;
                break;
        }
        var content = new ReceivedContent(tar, member.Header.Size);
        while (content.Left > 0)
            await content.ReadAsync(_scratch.AsMemory(0, (int)Math.Min(ScratchSize, content.Left)), cancellationToken).ConfigureAwait(false);
        Note(member, content.State);
        return true;
    }

    private async Task<byte[]> ReadSmallAsync(ServerTar tar, ReceivedMember member, CancellationToken cancellationToken)
    {
        if (member.Header.Size > LargestSmallFile)
            throw new InvalidDataException($"the file '{member.Display}' has {member.Header.Size} bytes");
        byte[] bytes = new byte[member.Header.Size];
        var content = new ReceivedContent(tar, member.Header.Size);
        await content.ReadAsync(bytes, cancellationToken).ConfigureAwait(false);
        Note(member, content.State);
        return bytes;
    }

    private void Note(ReceivedMember member, uint state)
    {
        _files.Add(member.Path, member.Header.Size, Crc32C.Finish(state));
        Bytes += member.Header.Size;
    }
}
