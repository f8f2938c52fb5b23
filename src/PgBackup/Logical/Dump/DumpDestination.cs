using System.Globalization;
using System.Text;
using PgBackup.Codecs;
using PgBackup.Errors;

namespace PgBackup.Logical.Dump;

/// <summary>What the name of a dump's file says, and what name a dump gets in a folder.</summary>
public static class DumpDestination
{
    /// <summary>The form that a file's name says: a script for <c>.sql</c>, also compressed, a tar for <c>.tar</c>; else null.</summary>
    public static DumpFormat? FormatOf(string path)
    {
        string name = Uncompressed(path, out _);
        return name.EndsWith(".sql", StringComparison.OrdinalIgnoreCase) ? DumpFormat.Plain
            : name.EndsWith(".tar", StringComparison.OrdinalIgnoreCase) ? DumpFormat.Tar
            : null;
    }

    /// <summary>The path of a dump in a folder: named after the database, characters that a file's name cannot have written as in a URI.</summary>
    public static string PathIn(string folder, DumpOptions options)
    {
        if (options.Content == DumpContent.Globals)
            return Path.Combine(folder, "globals.sql" + Extension(options.Compression));
        string name = FileName(options.Subject);
        return Path.Combine(folder, options.EffectiveFormat switch
        {
            DumpFormat.Plain => name + ".sql" + Extension(options.Compression),
            DumpFormat.Tar => name + ".tar" + Extension(options.Compression),
            DumpFormat.Directory => name,
            _ => name + ".dump",
        });
    }

    /// <summary>The codec around what pg_dump writes. Throws <c>DumpOptionsInvalid</c> when the name says something else than the options.</summary>
    internal static CompressionMethod Codec(DumpOptions options, string path)
    {
        string name = Uncompressed(path, out CompressionMethod said);
        if (said is CompressionMethod.Lzma)
            throw PgErrors.DumpOptionsInvalid($"'{Path.GetFileName(path)}' asks for a compression that cannot be written.", "End the name in .sql, .sql.gz or .sql.zst.");
        if (options.EffectiveFormat is DumpFormat.Custom or DumpFormat.Directory)
        {
            return FormatOf(path) is null && said == CompressionMethod.None
                ? CompressionMethod.None
                : throw PgErrors.DumpOptionsInvalid(
                    $"'{Path.GetFileName(path)}' is no name for the format {options.EffectiveFormat}, which pg_restore reads as it is.", "Use -Format Plain, or a name that ends in .dump.");
        }
        if (FormatOf(path) is { } format && format != options.EffectiveFormat)
            throw PgErrors.DumpOptionsInvalid($"'{Path.GetFileName(path)}' is no name for the format {options.EffectiveFormat}.", $"Use -Format {format}, or another name.");
        return options.Compression is { } asked && asked != said
            ? throw PgErrors.DumpOptionsInvalid($"'{Path.GetFileName(path)}' and -Compression {asked} say different things.", "Leave -Compression out: the name says it.")
            : said;
    }

    private static string Extension(CompressionMethod? method) => method is { } asked ? CompressionNames.Extension(asked) : "";

    private static string Uncompressed(string path, out CompressionMethod method)
    {
        string name = Path.GetFileName(path);
        return CompressionNames.TrySplit(name, out string stem, out method) ? stem : name;
    }

    private static string FileName(string database)
    {
        var name = new StringBuilder();
        foreach (Rune rune in database.EnumerateRunes())
        {
            bool isFirst = name.Length == 0;
            if (rune.Value is '/' or '\\' or '%' or ':' or '*' or '?' or '"' or '<' or '>' or '|' || Rune.IsControl(rune) || (isFirst && rune.Value is '.' or '-'))
            {
                foreach (byte b in Encoding.UTF8.GetBytes(rune.ToString()))
                    name.Append(CultureInfo.InvariantCulture, $"%{b:X2}");
            }
            else
                name.Append(rune);
        }
        // That name is taken by what all databases share.
        return database == "globals" ? "%67lobals" : name.ToString();
    }
}
