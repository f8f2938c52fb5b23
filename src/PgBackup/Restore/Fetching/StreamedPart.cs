using System.Formats.Tar;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Restore.Fetching;

/// <summary>
/// Writes the members of a part that has to be read from its beginning: one of wal-g's, an encrypted one. What the index knows of its
/// frames is checked as they stream by.
/// </summary>
internal static class StreamedPart
{
    private const int BufferSize = 256 * 1024;

    /// <summary>Reads the part under <paramref name="key"/>. Throws <c>BackupDamaged</c>, <c>EncryptionKeyInvalid</c>, <c>RestoreWriteFailed</c>.</summary>
    public static async Task FetchAsync(
        BackupRepository repository, string key, IndexedPart? index, MemberWriter writer, bool isSpecial, CancellationToken cancellationToken)
    {
        string part = key[(key.LastIndexOf('/') + 1)..];
        try
        {
            Stream decoded = await repository.OpenDecodedAsync(key, cancellationToken).ConfigureAwait(false);
            if (index is not null)
                decoded = new FrameHashStream(decoded, index);
            await using (decoded.ConfigureAwait(false))
            {
                await ReadMembersAsync(decoded, index, writer, isSpecial, cancellationToken).ConfigureAwait(false);
                await RequireZeroTailAsync(decoded, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (PgBackupException error) when (error.Id is "ObjectDamaged")
        {
            throw writer.Damaged($"{part}: {error.Message}", error);
        }
        catch (Exception error) when (error is InvalidDataException or FormatException or EndOfStreamException)
        {
            throw writer.Damaged($"{part}: {error.Message}", error);
        }
    }

    private static async Task ReadMembersAsync(Stream decoded, IndexedPart? index, MemberWriter writer, bool isSpecial, CancellationToken cancellationToken)
    {
        int number = 0;
        byte[] buffer = new byte[BufferSize];
        var reader = new TarReader(decoded, leaveOpen: true);
        await using (reader.ConfigureAwait(false))
        {
            while (await reader.GetNextEntryAsync(copyData: false, cancellationToken).ConfigureAwait(false) is { } entry)
            {
                // A tar's own times are whole seconds.
                FileTime modified = index is not null && number < index.Members.Count && index.Members[number].Name == entry.Name
                    ? FileTime.FromNanoseconds(index.Members[number].Modified)
                    : FileTime.From(entry.ModificationTime);
                number++;
                switch (entry.EntryType)
                {
                    case TarEntryType.Directory:
                        writer.Folder(entry.Name, entry.Mode);
                        break;
                    case TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile:
                        if (writer.Target(entry.Name, entry.Length, entry.Mode, modified, isSpecial) is { } target)
                            await WriteAsync(entry, await target.SettleNewerAsync(cancellationToken).ConfigureAwait(false), buffer, cancellationToken).ConfigureAwait(false);
                        break;
                    case TarEntryType.SymbolicLink or TarEntryType.HardLink:
                        writer.Link(entry.Name);
                        break;
                    default:
                        throw new InvalidDataException($"The member '{entry.Name}' is of the kind {entry.EntryType}, which no backup holds.");
                }
            }
        }
    }

    private static async Task WriteAsync(TarEntry entry, MemberTarget target, byte[] buffer, CancellationToken cancellationToken)
    {
        using DestinationFile file = target.Open();
        IncrementWriter? increment = target.Use == MemberUse.Increment ? new IncrementWriter(file, target.Size, header => target.BeginIncrement(file, header)) : null;
        long position = 0;
        if (entry.DataStream is { } data)
        {
            int read;
            while ((read = await data.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
            {
                if (increment is not null)
                    Apply(increment, buffer.AsSpan(0, read), target.Member);
                else
                    target.Write(file, buffer.AsSpan(0, read), position);
                position += read;
            }
        }
        if (position != target.Size)
            throw new InvalidDataException($"'{target.Member}' ends after {position} of {target.Size} bytes.");
        target.Fetched(position);
        if (increment is not null)
            Apply(increment, default, target.Member);
        target.Finish(file);
    }

    private static void Apply(IncrementWriter increment, ReadOnlySpan<byte> data, string member)
    {
        try
        {
            if (data.IsEmpty)
                increment.Complete();
            else
                increment.Write(data);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"'{member}': {error.Message}", error);
        }
    }

    // Only at its end does an encrypted or compressed stream prove that it came whole.
    private static async Task RequireZeroTailAsync(Stream decoded, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[8192];
        int read;
        while ((read = await decoded.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
        {
            if (buffer.AsSpan(0, read).ContainsAnyExcept((byte)0))
                throw new InvalidDataException("There are bytes after the end of the tar.");
        }
    }
}
