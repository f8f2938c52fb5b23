using System.Globalization;
using System.Text;

namespace PgBackup.PowerShell.Views;

/// <summary>How cells of the default views print; the properties themselves stay values.</summary>
public static class Format
{
    /// <summary>A time in this machine's zone, to the second, as ISO 8601 writes it but with a blank; nothing for null.</summary>
    public static string Time(DateTimeOffset? time) =>
        time?.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture) ?? "";

    /// <summary>A duration in the unit that fits: <c>250 ms</c>, <c>3.9 s</c>, <c>2m 05s</c>, <c>1h 40m</c>; nothing for null.</summary>
    public static string Duration(TimeSpan? duration) => duration switch
    {
        null => "",
        { TotalSeconds: < 1 } d => string.Create(CultureInfo.InvariantCulture, $"{d.TotalMilliseconds:0} ms"),
        { TotalSeconds: < 60 } d => string.Create(CultureInfo.InvariantCulture, $"{d.TotalSeconds:0.0} s"),
        { TotalMinutes: < 60 } d => string.Create(CultureInfo.InvariantCulture, $"{(int)d.TotalMinutes}m {d.Seconds:00}s"),
        { } d => string.Create(CultureInfo.InvariantCulture, $"{(int)d.TotalHours}h {d.Minutes:00}m"),
    };

    /// <summary>What a logical backup is of, in a column: its database, <c>(globals)</c>, or nothing when its manifest could not be read.</summary>
    public static string DatabaseOf(DatabaseBackup backup) => backup.Database ?? (backup.Content == DumpContent.Globals ? "(globals)" : "");

    /// <summary>What a backup of any kind is of, in a column: as <see cref="DatabaseOf"/>, and nothing for a cluster.</summary>
    public static string SubjectOf(object backup) => backup is DatabaseBackup database ? DatabaseOf(database) : "";

    /// <summary>The type of a cluster's backup, or the format of a database's.</summary>
    public static string TypeOf(object backup) => backup switch
    {
        ClusterBackup cluster => cluster.Type.ToString(),
        DatabaseBackup database => database.Format.ToString(),
        _ => "",
    };

    /// <summary>
    /// Text cut into lines at blanks, because a table cuts words anywhere. A word longer than a line is left to the table.
    /// </summary>
    /// <param name="text">The text; lines of its own stay.</param>
    /// <param name="width">The columns of a line; a console that does not know its width says 0 or less, and counts as 80 columns in all.</param>
    /// <param name="taken">The columns that other cells take.</param>
    public static string Wrap(string text, int width, int taken)
    {
        int room = Math.Max((width > 0 ? width : 80) - taken, 20);
        var result = new StringBuilder(text.Length + 16);
        foreach (string line in text.Split('\n'))
        {
            if (result.Length > 0)
                result.Append('\n');
            int column = 0;
            foreach (string word in line.Split(' '))
            {
                if (column > 0 && column + 1 + word.Length > room)
                {
                    result.Append('\n');
                    column = 0;
                }
                else if (column > 0)
                {
                    result.Append(' ');
                    column++;
                }
                result.Append(word);
                column += word.Length;
            }
        }
        return result.ToString();
    }
}
