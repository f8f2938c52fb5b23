using System.Text;

namespace PgBackup.Postgres.Replication.Login;

/// <summary>
/// A password file by libpq's rules (PostgreSQL documentation, "The Password File"): lines of host:port:database:user:password, <c>*</c> for anything,
/// <c>\:</c> and <c>\\</c> for the two characters themselves, the first line that fits.
/// </summary>
internal static class PasswordFile
{
    private const UnixFileMode OpenToOthers =
        UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    /// <summary>Where libpq looks when nothing else is said; null on an account without a home.</summary>
    public static string? DefaultPath
    {
        get
        {
            string folder = OperatingSystem.IsWindows()
                ? Environment.GetFolderPath(Environment.SpecialFolder.ApplicationData)
                : Environment.GetEnvironmentVariable("HOME") ?? "";
            return folder.Length == 0 ? null : OperatingSystem.IsWindows() ? Path.Combine(folder, "postgresql", "pgpass.conf") : Path.Combine(folder, ".pgpass");
        }
    }

    /// <summary>The password for a login, and else why there is none where that is not plain to see.</summary>
    public static (string? Password, string? Complaint) Find(string path, string host, int port, string database, string user)
    {
        if (!File.Exists(path))
            return (null, null);
        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & OpenToOthers) != 0)
            return (null, $"The password file '{path}' was not read, because others than its owner may read it: chmod 600 it.");
        string[] lines;
        try
        {
            lines = File.ReadAllLines(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return (null, $"The password file could not be read: {error.Message}");
        }
        return (Find(lines, host, port, database, user), null);
    }

    internal static string? Find(IEnumerable<string> lines, string host, int port, string database, string user)
    {
        // libpq knows its socket's usual folder as localhost.
        string? alias = host is "/tmp" or "/var/run/postgresql" or "/run/postgresql" ? "localhost" : null;
        string portText = port.ToString(System.Globalization.CultureInfo.InvariantCulture);
        foreach (string line in lines)
        {
            if (line.StartsWith('#') || Split(line) is not [var lineHost, var linePort, var lineDatabase, var lineUser, var password])
                continue;
            if ((Fits(lineHost, host) || (alias is not null && lineHost.Text == alias)) && Fits(linePort, portText) && Fits(lineDatabase, database) && Fits(lineUser, user))
                return password.Text;
        }
        return null;
    }

    private static bool Fits(Field field, string value) => field.IsAny || field.Text == value;

    // Four fields end at a colon; the fifth is the rest, in which a colon stands for itself.
    private static List<Field> Split(string line)
    {
        var fields = new List<Field>(5);
        var text = new StringBuilder();
        bool escaped = false;
        for (int i = 0; i < line.Length; i++)
        {
            char c = line[i];
            if (c == ':' && fields.Count < 4)
            {
                fields.Add(new Field(text.ToString(), !escaped && text is { Length: 1 } && text[0] == '*'));
                text.Clear();
                escaped = false;
                continue;
            }
            if (c == '\\' && i + 1 < line.Length)
            {
                c = line[++i];
                escaped = true;
            }
            text.Append(c);
        }
        fields.Add(new Field(text.ToString(), false));
        return fields;
    }

    private readonly record struct Field(string Text, bool IsAny);
}
