using PgBackup.Storage.S3;

namespace PgBackup.Configuration;

/// <summary>Looks settings up where they may stand: parameter, configuration file, environment, default; and notes what it found and where.</summary>
/// <param name="file">What the configuration file says of the thing, by the file's own names.</param>
/// <param name="environment">Reads a variable.</param>
internal sealed class SettingLayers(IReadOnlyDictionary<string, Setting> file, Func<string, string?> environment)
{
    private readonly List<ConfigurationValue> _values = [];

    /// <summary>What was found so far, in the order in which it was asked for.</summary>
    public IReadOnlyList<ConfigurationValue> Values => _values;

    /// <summary>Whether the file says something of one of the names.</summary>
    public bool FileHas(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            if (file.ContainsKey(name))
                return true;
        }
        return false;
    }

    /// <summary>The parameter, else the file's setting, else the first of the variables; null when nobody says anything. Notes nothing.</summary>
    public Setting? Find(string name, Setting? parameter, params ReadOnlySpan<string> variables)
    {
        if (parameter is not null)
            return parameter;
        if (file.TryGetValue(name, out Setting? said))
            return said;
        foreach (string variable in variables)
        {
            if (Setting.Variable(environment, variable) is { } found)
                return found;
        }
        return null;
    }

    /// <summary>As <see cref="Find"/>, read into a value and noted; <paramref name="otherwise"/> when nobody says anything.</summary>
    public T Take<T>(string name, Setting? parameter, Func<Setting, T> read, T otherwise, params ReadOnlySpan<string> variables)
    {
        if (Find(name, parameter, variables) is not { } setting)
        {
            Note(name, Show(otherwise), ConfigurationValue.DefaultSource);
            return otherwise;
        }
        T value = read(setting);
        Note(name, Show(value), setting.Source);
        return value;
    }

    /// <summary>Notes a value.</summary>
    public void Note(string name, string? value, string source) => _values.Add(new ConfigurationValue(name, value, source));

    private static string? Show<T>(T value) => value switch
    {
        null => null,
        SecretText => ConfigurationValue.Hidden,
        bool truth => truth ? "true" : "false",
        S3ServerSideEncryption.BucketDefault => null,
        S3ServerSideEncryption.CustomerKey => "AES256",
        S3ServerSideEncryption.Aes256 => "AES256",
        S3ServerSideEncryption.Kms => "aws:kms",
        Enum one => one.ToString().ToLowerInvariant(),
        Uri { UserInfo.Length: > 0 } address => $"{address.Scheme}://{ConfigurationValue.Hidden}@{address.Authority}",
        _ => value.ToString(),
    };
}
