namespace PgBackup.Configuration;

/// <summary>A setting as somebody wrote it.</summary>
/// <param name="Name">How it is called where it was written: <c>AWS_REGION</c>, <c>-Region</c>, <c>region</c>.</param>
/// <param name="Text">What was written.</param>
/// <param name="Source">Where: <c>parameter</c>, <c>environment AWS_REGION</c>, <c>/etc/pgbackup/config.yaml:12</c>.</param>
internal sealed record Setting(string Name, string Text, string Source)
{
    /// <summary>One that was given as a parameter.</summary>
    public static Setting Parameter(string name, string text) => new($"-{name}", text, "parameter");

    /// <summary>One of the environment; null when the variable is not there or empty.</summary>
    public static Setting? Variable(Func<string, string?> environment, string name) =>
        environment(name) is { Length: > 0 } text ? new Setting(name, text, $"environment {name}") : null;

    /// <summary>True when it comes from a variable.</summary>
    public bool IsOfEnvironment => Source.StartsWith("environment ", StringComparison.Ordinal);

    /// <summary>Only name and source: the text may be a secret.</summary>
    public override string ToString() => $"{Name} ({Source})";
}
