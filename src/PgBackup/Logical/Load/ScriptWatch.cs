using System.Text;
using System.Text.RegularExpressions;
using PgBackup.Errors;

namespace PgBackup.Logical.Load;

/// <summary>
/// Looks at a script on its way to psql: it must not connect elsewhere, and pg_dump's comments (<c>-- Name: t; Type: TABLE; Schema: app</c>) tell which object a line belongs to. In pg_dump's
/// COPY data no line begins with a backslash and a letter but <c>\N</c>.
/// </summary>
internal sealed partial class ScriptWatch(string name)
{
    private const int LongestStart = 1024, KeptObjects = 4096;

    private readonly Lock _lock = new();
    private readonly Queue<(int Line, DatabaseObject Object)> _objects = new();
    private readonly byte[] _start = new byte[LongestStart];
    private int _length, _line = 1;

    /// <summary>Looks at the next bytes. Throws <c>ScriptConnectsElsewhere</c>.</summary>
    public void Take(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int end = bytes.IndexOf((byte)'\n');
            ReadOnlySpan<byte> part = end < 0 ? bytes : bytes[..end];
            int kept = Math.Min(part.Length, LongestStart - _length);
            part[..kept].CopyTo(_start.AsSpan(_length));
            _length += kept;
            if (end < 0)
                return;
            CheckLine();
            bytes = bytes[(end + 1)..];
            _length = 0;
            _line++;
        }
    }

    /// <summary>The object that a line of the script belongs to, where pg_dump's comments tell. From any thread.</summary>
    public DatabaseObject? ObjectAt(int line)
    {
        lock (_lock)
            return _objects.LastOrDefault(o => o.Line <= line).Object;
    }

    private void CheckLine()
    {
        ReadOnlySpan<byte> line = _start.AsSpan(0, _length);
        if (line is [(byte)'\\', (byte)'c', ..] && (line.StartsWith("\\connect"u8) || line.Length == 2 || line[2] is (byte)' ' or (byte)'\t'))
            throw PgErrors.ScriptConnectsElsewhere(name, _line);
        if (line is not [(byte)'-', (byte)'-', (byte)' ', ..] || HeaderPattern().Match(Encoding.UTF8.GetString(line)) is not { Success: true } match)
            return;
        string schema = match.Groups[3].Value;
        lock (_lock)
        {
            _objects.Enqueue((_line, new DatabaseObject(match.Groups[2].Value, schema == "-" ? null : schema, match.Groups[1].Value)));
            if (_objects.Count > KeptObjects)
                _objects.Dequeue();
        }
    }

    [GeneratedRegex(@"^-- (?:Data for )?Name: (.*); Type: ([A-Z ]+); Schema: (.*); Owner: ")]
    private static partial Regex HeaderPattern();
}
