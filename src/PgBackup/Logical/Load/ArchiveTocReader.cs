using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;
using PgBackup.Errors;

namespace PgBackup.Logical.Load;

/// <summary>
/// Reads the head and the table of contents of an archive of pg_dump: of the custom form, or toc.dat of the directory and tar forms (PostgreSQL's source, pg_backup_archiver.c, ReadHead and
/// ReadToc). pg_restore's own list leaves open where a name with blanks ends.
/// </summary>
internal sealed partial class ArchiveTocReader
{
    private const int OldestFormat = 10, NewestFormat = 16, LongestText = 1 << 20;
    private const byte CustomForm = 1;

    private readonly Stream _source;
    private readonly string _name;
    private readonly byte[] _buffer = new byte[64 << 10];
    private int _start, _end, _intSize, _offsetSize;
    private Encoding _encoding = Encoding.UTF8;

    private ArchiveTocReader(Stream source, string name)
    {
        _source = source;
        _name = name;
    }

    /// <summary>The first bytes of every archive.</summary>
    public static ReadOnlySpan<byte> Magic => "PGDMP"u8;

    /// <summary>Reads from the beginning of a stream, and more of it than needed. Throws <c>DumpNotReadable</c>.</summary>
    public static Task<ArchiveToc> ReadAsync(Stream source, string name, CancellationToken cancellationToken) => new ArchiveTocReader(source, name).ReadAsync(cancellationToken);

    private async Task<ArchiveToc> ReadAsync(CancellationToken token)
    {
        foreach (byte expected in Magic.ToArray())
        {
            if (await ByteAsync(token).ConfigureAwait(false) != expected)
                throw Damaged("it does not begin as an archive of pg_dump does");
        }
        int major = await ByteAsync(token).ConfigureAwait(false), version = await ByteAsync(token).ConfigureAwait(false);
        await ByteAsync(token).ConfigureAwait(false); // The revision.
        if (major != 1 || version is < OldestFormat or > NewestFormat)
            throw PgErrors.DumpNotReadable(_name, $"its archive format is {major}.{version}, and formats 1.{OldestFormat} to 1.{NewestFormat} are known");
        _intSize = await ByteAsync(token).ConfigureAwait(false);
        _offsetSize = await ByteAsync(token).ConfigureAwait(false);
        byte form = await ByteAsync(token).ConfigureAwait(false);
        if (_intSize is not (4 or 8) || _offsetSize is < 4 or > 8)
            throw Damaged("its head is none");
        if (version >= 15)
            await ByteAsync(token).ConfigureAwait(false); // The compression.
        else
            await IntAsync(token).ConfigureAwait(false);
        for (int i = 0; i < 7; i++)
            await IntAsync(token).ConfigureAwait(false); // When it was written, in local time.
        string? database = await TextAsync(token).ConfigureAwait(false);
        await SkipTextAsync(token).ConfigureAwait(false); // The server's version.
        await SkipTextAsync(token).ConfigureAwait(false); // pg_dump's.
        int count = await IntAsync(token).ConfigureAwait(false);
        var entries = new List<TocEntry>();
        DatabaseTraits? traits = null;
        for (int i = 0; i < count; i++)
        {
            (TocEntry entry, string? definition) = await EntryAsync(version, form, token).ConfigureAwait(false);
            entries.Add(entry);
            if (entry.Kind == "ENCODING" && EncodingPattern().Match(definition ?? "") is { Success: true } match)
                _encoding = EncodingOf(match.Groups[1].Value);
            if (entry.Kind == "DATABASE")
                (database, traits) = (entry.Name, DatabaseTraits.FromStatement(definition ?? ""));
        }
        return new ArchiveToc { FormatVersion = version, Database = database, Traits = traits, Entries = entries };
    }

    private async Task<(TocEntry Entry, string? Definition)> EntryAsync(int version, byte form, CancellationToken token)
    {
        int id = await IntAsync(token).ConfigureAwait(false);
        await IntAsync(token).ConfigureAwait(false);      // Whether there is data.
        await SkipTextAsync(token).ConfigureAwait(false); // The catalogue's table,
        await SkipTextAsync(token).ConfigureAwait(false); // and the row there.
        string name = await TextAsync(token).ConfigureAwait(false) ?? "";
        string kind = await TextAsync(token).ConfigureAwait(false) ?? "";
        if (version >= 11)
            await IntAsync(token).ConfigureAwait(false);  // The section.
        string? definition = null;
        if (kind is "ENCODING" or "DATABASE")
            definition = await TextAsync(token).ConfigureAwait(false);
        else
            await SkipTextAsync(token).ConfigureAwait(false);
        await SkipTextAsync(token).ConfigureAwait(false); // DROP,
        await SkipTextAsync(token).ConfigureAwait(false); // COPY.
        string? schema = await TextAsync(token).ConfigureAwait(false);
        await SkipTextAsync(token).ConfigureAwait(false); // The tablespace.
        if (version >= 14)
            await SkipTextAsync(token).ConfigureAwait(false); // The access method.
        if (version >= 16)
            await IntAsync(token).ConfigureAwait(false);  // The relation's kind.
        await SkipTextAsync(token).ConfigureAwait(false); // The owner.
        await SkipTextAsync(token).ConfigureAwait(false); // Whether tables have OIDs.
        var dependencies = new List<int>();
        while (await TextAsync(token).ConfigureAwait(false) is { } text)
            dependencies.Add(int.TryParse(text, out int dependency) ? dependency : throw Damaged("a dependency is no number"));
        if (form == CustomForm)
        {
            for (int i = 0; i < 1 + _offsetSize; i++)
                await ByteAsync(token).ConfigureAwait(false); // Where the data is.
        }
        else
        {
            await SkipTextAsync(token).ConfigureAwait(false); // The file.
        }
        return (new TocEntry(id, kind, string.IsNullOrEmpty(schema) ? null : schema, name, dependencies), definition);
    }

    private async ValueTask<string?> TextAsync(CancellationToken token)
    {
        int length = await IntAsync(token).ConfigureAwait(false);
        if (length < 0)
            return null;
        if (length > LongestText)
            throw Damaged("a name is longer than any");
        byte[] bytes = ArrayPool<byte>.Shared.Rent(length);
        for (int done = 0; done < length;)
        {
            await FillAsync(token).ConfigureAwait(false);
            int part = Math.Min(length - done, _end - _start);
            _buffer.AsSpan(_start, part).CopyTo(bytes.AsSpan(done));
            (_start, done) = (_start + part, done + part);
        }
        string text = _encoding.GetString(bytes, 0, length);
        ArrayPool<byte>.Shared.Return(bytes);
        return text;
    }

    private async ValueTask SkipTextAsync(CancellationToken token)
    {
        for (int left = await IntAsync(token).ConfigureAwait(false); left > 0;)
        {
            await FillAsync(token).ConfigureAwait(false);
            int part = Math.Min(left, _end - _start);
            (_start, left) = (_start + part, left - part);
        }
    }

    // A byte for the sign, then the bytes from the lowest on.
    private async ValueTask<int> IntAsync(CancellationToken token)
    {
        bool negative = await ByteAsync(token).ConfigureAwait(false) != 0;
        long value = 0;
        for (int i = 0; i < _intSize; i++)
            value |= (long)await ByteAsync(token).ConfigureAwait(false) << (8 * i);
        if (value is < 0 or > int.MaxValue)
            throw Damaged("a number is out of range");
        return negative ? -(int)value : (int)value;
    }

    private ValueTask<byte> ByteAsync(CancellationToken token)
    {
        return _start < _end ? ValueTask.FromResult(_buffer[_start++]) : SlowAsync();

        async ValueTask<byte> SlowAsync()
        {
            await FillAsync(token).ConfigureAwait(false);
            return _buffer[_start++];
        }
    }

    private async ValueTask FillAsync(CancellationToken token)
    {
        if (_start < _end)
            return;
        _start = 0;
        _end = await _source.ReadAsync(_buffer, token).ConfigureAwait(false);
        if (_end == 0)
            throw Damaged("it ends within its table of contents");
    }

    private PgBackupException Damaged(string reason) => PgErrors.DumpNotReadable(_name, reason);

    // PostgreSQL's names of encodings; names in an encoding that .NET does not have are shown byte by byte, and nothing else depends on them.
    private static Encoding EncodingOf(string name)
    {
        string known = name switch
        {
            "UTF8" or "SQL_ASCII" => "utf-8",
            "LATIN1" => "iso-8859-1",
            "LATIN2" => "iso-8859-2",
            "LATIN3" => "iso-8859-3",
            "LATIN4" => "iso-8859-4",
            "LATIN5" => "iso-8859-9",
            "LATIN7" => "iso-8859-13",
            "LATIN9" => "iso-8859-15",
            "EUC_JP" => "euc-jp",
            "EUC_KR" => "euc-kr",
            "EUC_CN" => "gb2312",
            "KOI8R" => "koi8-r",
            "KOI8U" => "koi8-u",
            "WIN866" => "cp866",
            "WIN874" => "windows-874",
            _ when name.StartsWith("WIN", StringComparison.Ordinal) => "windows-" + name[3..],
            _ => name.Replace('_', '-').ToLowerInvariant(),
        };
        try
        {
            return CodePagesEncodingProvider.Instance.GetEncoding(known) ?? Encoding.GetEncoding(known);
        }
        catch (ArgumentException)
        {
            return Encoding.Latin1;
        }
    }

    [GeneratedRegex(@"client_encoding = '([A-Za-z0-9_]+)'")]
    private static partial Regex EncodingPattern();
}
