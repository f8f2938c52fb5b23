using System.Text;
using PgBackup.Backup.Reading;
using PgBackup.Platform;
using PgBackup.Repository;

namespace PgBackup.Backup.Remote;

/// <summary>A member of a server's archive, as a member of a backup.</summary>
/// <param name="header">Its header.</param>
/// <param name="path">Its path below the data directory, in the server's bytes.</param>
internal sealed class ReceivedMember(ServerTarMember header, byte[] path)
{
    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public ServerTarMember Header => header;

    /// <summary>The path below the data directory, in the server's bytes.</summary>
    public byte[] Path => path;

    /// <summary>The name in a backup, with a leading slash; null when it is not UTF-8. It leads nowhere but into the data directory.</summary>
    public string? Name { get; } = NameOf(path, header.Kind);

    /// <summary>The name for messages.</summary>
    public string Display => Encoding.UTF8.GetString(path);

    /// <summary>The last part of the name.</summary>
    public string FileName => Name![(Name!.LastIndexOf('/') + 1)..];

    /// <summary>True for what lies in the data directory itself.</summary>
    public bool IsAtTop => Name!.LastIndexOf('/') == 0;

    /// <summary>Its time; a server's archive knows whole seconds.</summary>
    public FileTime Modified => new(header.Modified, 0);

    /// <summary>True when the content of a folder above it is left out.</summary>
    public bool IsInExcludedFolder
    {
        get
        {
            string name = Name!;
            for (int start = 1, end; (end = name.IndexOf('/', start)) >= 0; start = end + 1)
            {
                if (ExclusionRules.LeavesOutContentOf(name[start..end]))
                    return true;
            }
            return false;
        }
    }

    private static string? NameOf(byte[] path, ServerTarKind kind)
    {
        string name;
        try
        {
            // Folders below pg_wal are sent as "./pg_wal/…" (basebackup.c, sendDir).
            name = "/" + s_strict.GetString(kind == ServerTarKind.Folder && path.AsSpan().StartsWith("./"u8) ? path.AsSpan(2) : path);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
        // As a restore takes it, and in no other form: what is not so must not get into a backup.
        return MemberPath.Normalize(name) == name[1..] && name.Length > 1 ? name : throw new InvalidDataException($"the name '{name}' leads out of the data directory");
    }
}
