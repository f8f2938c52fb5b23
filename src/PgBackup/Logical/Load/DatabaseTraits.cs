using System.Text.RegularExpressions;
using PgBackup.Logical.Dump;
using PgBackup.Repository.Dumps;

namespace PgBackup.Logical.Load;

/// <summary>What a database to restore into is created with (PostgreSQL documentation, CREATE DATABASE).</summary>
internal sealed partial record DatabaseTraits
{
    private const int IcuSince = 15, BuiltinSince = 17;

    public string? Encoding { get; init; }

    public string? Collate { get; init; }

    public string? CharacterType { get; init; }

    /// <summary>icu or builtin; null for libc.</summary>
    public string? Provider { get; init; }

    /// <summary>The locale of that provider.</summary>
    public string? Locale { get; init; }

    public static DatabaseTraits FromFacts(DatabaseFacts facts) => new()
    {
        Encoding = facts.Encoding,
        Collate = facts.Collate,
        CharacterType = facts.CharacterType,
        Provider = ProviderOf(facts.LocaleProvider),
        Locale = facts.Locale,
    };

    public static DatabaseTraits? FromManifest(DumpManifest manifest) => manifest.Encoding is null ? null : new DatabaseTraits
    {
        Encoding = manifest.Encoding,
        Collate = manifest.Collate,
        CharacterType = manifest.CharacterType,
        Provider = ProviderOf(manifest.LocaleProvider),
        Locale = manifest.Locale,
    };

    /// <summary>
    /// Reads what pg_dump wrote: <c>CREATE DATABASE a WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C';</c>. Only single words and plain literals are taken
    /// over, so that an archive cannot bring statements along.
    /// </summary>
    public static DatabaseTraits FromStatement(string statement)
    {
        // The database's own name comes first and may look like anything.
        int from = statement.LastIndexOf(" WITH TEMPLATE = template0", StringComparison.Ordinal);
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (Match match in OptionPattern().Matches(from < 0 ? "" : statement[from..]))
            values.TryAdd(match.Groups[1].Value, match.Groups[3].Success ? match.Groups[3].Value.Replace("''", "'", StringComparison.Ordinal) : match.Groups[2].Value);
        string? locale = values.GetValueOrDefault("LOCALE");
        string? provider = values.GetValueOrDefault("LOCALE_PROVIDER") is { } name and ("icu" or "builtin") ? name : null;
        return new DatabaseTraits
        {
            Encoding = values.GetValueOrDefault("ENCODING"),
            Collate = values.GetValueOrDefault("LC_COLLATE") ?? locale,
            CharacterType = values.GetValueOrDefault("LC_CTYPE") ?? locale,
            Provider = provider,
            Locale = values.GetValueOrDefault(provider == "icu" ? "ICU_LOCALE" : "BUILTIN_LOCALE"),
        };
    }

    /// <summary>The options of CREATE DATABASE for a server.</summary>
    public string ToSql(int serverMajor)
    {
        string sql = Option("ENCODING", Encoding) + Option("LC_COLLATE", Collate) + Option("LC_CTYPE", CharacterType);
        return (Provider, Locale) switch
        {
            ("icu", not null) when serverMajor >= IcuSince => $"{sql} LOCALE_PROVIDER icu{Option("ICU_LOCALE", Locale)}",
            ("builtin", not null) when serverMajor >= BuiltinSince => $"{sql} LOCALE_PROVIDER builtin{Option("BUILTIN_LOCALE", Locale)}",
            (null, _) when serverMajor >= IcuSince => $"{sql} LOCALE_PROVIDER libc",
            _ => sql,
        };
    }

    // pg_database.datlocprovider.
    private static string? ProviderOf(string? letter) => letter switch { "i" => "icu", "b" => "builtin", _ => null };

    private static string Option(string name, string? value) => value is null ? "" : $" {name} {SqlText.Literal(value)}";

    [GeneratedRegex(@" (ENCODING|LOCALE_PROVIDER|LOCALE|LC_COLLATE|LC_CTYPE|ICU_LOCALE|BUILTIN_LOCALE) = ('((?:[^']|'')*)'|\w+)")]
    private static partial Regex OptionPattern();
}

/// <summary>Names and texts as SQL spells them.</summary>
internal static class SqlText
{
    public static string Identifier(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    // Doubled backslashes and E: the same whatever standard_conforming_strings says.
    public static string Literal(string value) => value.Contains('\\', StringComparison.Ordinal)
        ? $" E'{value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "''", StringComparison.Ordinal)}'"
        : $"'{value.Replace("'", "''", StringComparison.Ordinal)}'";
}
