namespace PgBackup;

/// <summary>A text that must not be shown: a password, a secret key. It prints as a placeholder, so that no log, error or view gives it away by accident.</summary>
/// <param name="text">The secret.</param>
public sealed class SecretText(string text)
{
    private readonly string _text = text;

    /// <summary>The secret itself; only for the one place that hands it to a library.</summary>
    internal string Reveal() => _text;

    /// <summary>Says that there is a secret, not which.</summary>
    public override string ToString() => "(secret)";
}
