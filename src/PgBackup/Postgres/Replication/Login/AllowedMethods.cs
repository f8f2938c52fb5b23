using Npgsql;
using PgBackup.Errors;

namespace PgBackup.Postgres.Replication.Login;

/// <summary>The methods that <c>Require Auth</c> or PGREQUIREAUTH allows (PostgreSQL documentation, libpq's <c>require_auth</c>); all when neither is set.</summary>
internal sealed class AllowedMethods
{
    private readonly HashSet<string>? _names;
    private readonly bool _negated;

    /// <summary>Reads the setting. Throws <c>ConnectionSettingsInvalid</c> for a mixture of names with and without an exclamation mark.</summary>
    public AllowedMethods(NpgsqlConnectionStringBuilder settings)
    {
        string? text = settings.RequireAuth ?? Environment.GetEnvironmentVariable("PGREQUIREAUTH");
        string[] names = (text ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (names.Length == 0)
            return;
        _negated = names[0].StartsWith('!');
        if (names.Any(name => name.StartsWith('!') != _negated))
            throw PgErrors.ConnectionSettingsInvalid("the required authentication methods are partly excluded and partly not.");
        _names = [.. names.Select(Normal)];
    }

    /// <summary>Throws when the server asks for a method that the settings do not allow; <c>none</c> is a login without any.</summary>
    public void Require(string method)
    {
        if (_names is not null && _names.Contains(Normal(method)) == _negated)
            throw new LoginRefusedException($"it wants the authentication method '{method}', which the required methods exclude");
    }

    // libpq writes scram-sha-256, Npgsql ScramSHA256.
    private static string Normal(string name) => name.TrimStart('!').Replace("-", "", StringComparison.Ordinal).ToLowerInvariant();
}
