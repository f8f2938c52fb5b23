using System.Globalization;
using System.Text.RegularExpressions;
using Npgsql;
using PgBackup.Errors;

namespace PgBackup.Postgres.Server;

/// <summary>
/// Reads connection strings in every form that PostgreSQL's users write: URIs (<c>postgresql://user@host:5432/db?sslmode=require</c>), libpq's <c>key=value</c> with blanks between, and
/// Npgsql's <c>Key=value</c> with semicolons between (PostgreSQL documentation, "Connection Strings"). No error repeats a value.
/// </summary>
internal static partial class ConnectionText
{
    private static readonly string[] s_schemes = ["postgresql://", "postgres://"];

    // What Npgsql decides by itself, or what only says how this session is called.
    private static readonly HashSet<string> s_ignored = new(StringComparer.Ordinal)
    {
        "application_name", "fallback_application_name", "client_encoding", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "gssencmode",
        "sslcompression",
    };

    // libpq has these too, and here they would be passed over: better said than ignored.
    private static readonly HashSet<string> s_unsupported = new(StringComparer.Ordinal)
    {
        "service", "require_auth", "sslcrl", "sslcrldir", "sslsni", "requirepeer", "ssl_min_protocol_version", "ssl_max_protocol_version", "krbsrvname", "gsslib", "gssdelegation", "replication",
        "target_session_attrs", "load_balance_hosts", "sslcertmode", "sslnegotiation",
    };

    /// <summary>The driver's settings that a text says. Throws <c>ConnectionSettingsInvalid</c>.</summary>
    public static NpgsqlConnectionStringBuilder Parse(string text)
    {
        string? scheme = Array.Find(s_schemes, s => text.StartsWith(s, StringComparison.OrdinalIgnoreCase));
        if (scheme is not null)
            return ParseUri(text[scheme.Length..]);
        if (ReadPairs(text) is { } pairs)
            return Build(pairs);
        try
        {
            return new NpgsqlConnectionStringBuilder(text);
        }
        catch (Exception error) when (error is ArgumentException or FormatException)
        {
            throw PgErrors.ConnectionSettingsInvalid("The connection string cannot be read.");
        }
    }

    private static NpgsqlConnectionStringBuilder ParseUri(string rest)
    {
        var pairs = new List<KeyValuePair<string, string>>();
        (rest, string? query) = Cut(rest, '?');
        (string authority, string? database) = Cut(rest, '/');
        int at = authority.LastIndexOf('@');
        if (at >= 0)
        {
            (string user, string? password) = Cut(authority[..at], ':');
            Add("user", user);
            Add("password", password);
            authority = authority[(at + 1)..];
        }
        if (authority.Contains(','))
            throw PgErrors.ConnectionSettingsInvalid("The connection string names several hosts; a backup is taken from one server.");
        string host = authority;
        string? port = null;
        int bracket = authority.StartsWith('[') ? authority.IndexOf(']', StringComparison.Ordinal) : -1;
        if (bracket > 0)
        {
            host = authority[1..bracket];
            string tail = authority[(bracket + 1)..];
            port = tail.Length == 0 ? null : tail.StartsWith(':') ? tail[1..] : throw PgErrors.ConnectionSettingsInvalid("The host of the connection string cannot be read.");
        }
        else
            (host, port) = Cut(authority, ':');
        Add("host", host);
        Add("port", port);
        Add("dbname", database);
        foreach (string pair in (query ?? "").Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            (string key, string? value) = Cut(pair, '=');
            key = Decode(key);
            if (value is null)
                throw PgErrors.ConnectionSettingsInvalid($"The connection string's parameter '{Shown(key)}' has no value.");
            // JDBC's spelling, which libpq takes as well.
            if (key == "ssl" && value == "true")
                (key, value) = ("sslmode", "require");
            Add(key, value);
        }
        return Build(pairs);

        void Add(string key, string? value)
        {
            if (value is { Length: > 0 })
                pairs.Add(new(key, Decode(value)));
        }
    }

    // Null when it is not libpq's form: Npgsql separates by semicolons.
    private static List<KeyValuePair<string, string>>? ReadPairs(string text)
    {
        var pairs = new List<KeyValuePair<string, string>>();
        int at = 0;
        while (true)
        {
            while (at < text.Length && char.IsWhiteSpace(text[at]))
                at++;
            if (at == text.Length)
                return pairs.Count > 0 ? pairs : null;
            Match key = KeyText().Match(text, at);
            if (!key.Success || !(IsKnown(key.Groups[1].Value) || s_unsupported.Contains(key.Groups[1].Value)))
                return null;
            at += key.Length;
            if (ReadValue(text, ref at) is not { } value)
                return null;
            pairs.Add(new(key.Groups[1].Value, value));
        }
    }

    private static string? ReadValue(string text, ref int at)
    {
        var value = new System.Text.StringBuilder();
        bool quoted = at < text.Length && text[at] == '\'';
        if (quoted)
            at++;
        for (; at < text.Length; at++)
        {
            char c = text[at];
            if (quoted ? c == '\'' : char.IsWhiteSpace(c))
            {
                if (quoted)
                    at++;
                // Npgsql's quotes are followed by a semicolon.
                return quoted && at < text.Length && !char.IsWhiteSpace(text[at]) ? null : value.ToString();
            }
            if (!quoted && c == ';' && (at == text.Length - 1 || NextKey().IsMatch(text, at)))
                return null;
            if (c == '\\' && at + 1 < text.Length)
                c = text[++at];
            value.Append(c);
        }
        return quoted ? throw PgErrors.ConnectionSettingsInvalid("A quote of the connection string is not closed.") : value.ToString();
    }

    private static NpgsqlConnectionStringBuilder Build(List<KeyValuePair<string, string>> pairs)
    {
        var builder = new NpgsqlConnectionStringBuilder();
        string? address = null;
        foreach ((string key, string value) in pairs)
        {
            if (s_ignored.Contains(key) || value.Length == 0)
                continue;
            if (s_unsupported.Contains(key) && value != "any") // target_session_attrs=any is no wish at all.
                throw PgErrors.ConnectionSettingsInvalid($"The connection string's parameter '{key}' is one that PgBackup does not know how to keep to.");
            switch (key)
            {
                case "host":
                    builder.Host = Single(value);
                    break;
                case "hostaddr":
                    address = Single(value);
                    break;
                case "port":
                    builder.Port = int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int port) && port is > 0 and < 65536
                        ? port
                        : throw PgErrors.ConnectionSettingsInvalid("The port of the connection string is none.");
                    break;
                case "dbname":
                    builder.Database = value;
                    break;
                case "user":
                    builder.Username = value;
                    break;
                case "password":
                    builder.Password = value;
                    break;
                case "passfile":
                    builder.Passfile = value;
                    break;
                case "options":
                    builder.Options = value;
                    break;
                case "sslmode":
                    builder.SslMode = Enum.TryParse(value.Replace("-", "", StringComparison.Ordinal), ignoreCase: true, out SslMode mode) && !char.IsAsciiDigit(value[0])
                        ? mode
                        : throw PgErrors.ConnectionSettingsInvalid("The sslmode of the connection string is none that libpq has.");
                    break;
                case "channel_binding":
                    builder.ChannelBinding = Enum.TryParse(value, ignoreCase: true, out ChannelBinding binding) && !char.IsAsciiDigit(value[0])
                        ? binding
                        : throw PgErrors.ConnectionSettingsInvalid("The channel_binding of the connection string is none that libpq has.");
                    break;
                case "target_session_attrs":
                    break;
                case "sslrootcert":
                    builder.RootCertificate = value;
                    break;
                case "sslcert":
                    builder.SslCertificate = value;
                    break;
                case "sslkey":
                    builder.SslKey = value;
                    break;
                case "sslpassword":
                    builder.SslPassword = value;
                    break;
                case "connect_timeout":
                    builder.Timeout = int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int seconds) && seconds <= 1024
                        ? seconds
                        : throw PgErrors.ConnectionSettingsInvalid("The connect_timeout of the connection string is no number of seconds.");
                    break;
                default:
                    throw PgErrors.ConnectionSettingsInvalid($"The connection string's parameter '{Shown(key)}' is not known.");
            }
        }
        // libpq connects to the address, and the host is the name that a certificate must have; the driver knows one of them.
        if (address is not null)
            builder.Host = builder.SslMode == SslMode.VerifyFull && builder.Host is not null ? builder.Host : address;
        return builder;
    }

    private static bool IsKnown(string key) => s_ignored.Contains(key) || key is "host" or "hostaddr" or "port" or "dbname" or "user" or "password" or "passfile" or "options" or "sslmode"
        or "sslrootcert" or "sslcert" or "sslkey" or "sslpassword" or "connect_timeout" or "channel_binding";

    private static string Single(string host) => host.Contains(',')
        ? throw PgErrors.ConnectionSettingsInvalid("The connection string names several hosts; a backup is taken from one server.")
        : host;

    private static (string Before, string? After) Cut(string text, char separator) =>
        text.IndexOf(separator, StringComparison.Ordinal) is >= 0 and int at ? (text[..at], text[(at + 1)..]) : (text, null);

    private static string Decode(string text)
    {
        for (int at = text.IndexOf('%', StringComparison.Ordinal); at >= 0; at = text.IndexOf('%', at + 1))
        {
            if (at + 2 >= text.Length || !char.IsAsciiHexDigit(text[at + 1]) || !char.IsAsciiHexDigit(text[at + 2]) || text.AsSpan(at + 1, 2) is "00")
                throw PgErrors.ConnectionSettingsInvalid("A '%' of the connection string is not followed by two hexadecimal digits; '%25' stands for itself.");
        }
        return Uri.UnescapeDataString(text);
    }

    // Part of a password may have come to stand here, when an '&' or a '?' in it was not escaped.
    private static string Shown(string key) => Word().IsMatch(key) && key.Length <= 30 && key.Contains('_') ? key : "…";

    [GeneratedRegex(@"\G([a-z_]+)\s*=\s*")]
    private static partial Regex KeyText();

    [GeneratedRegex(@"\G;\s*[A-Za-z][A-Za-z _]*=")]
    private static partial Regex NextKey();

    [GeneratedRegex(@"\A[a-z_]+\z")]
    private static partial Regex Word();
}
