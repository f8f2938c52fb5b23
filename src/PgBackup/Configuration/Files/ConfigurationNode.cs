namespace PgBackup.Configuration.Files;

/// <summary>A piece of the file, and where it stands.</summary>
/// <param name="Line">The line, from 1.</param>
internal abstract record ConfigurationNode(int Line);

/// <summary>A value.</summary>
internal sealed record ScalarNode(int Line, string Text) : ConfigurationNode(Line);

/// <summary>A list.</summary>
internal sealed record ListNode(int Line) : ConfigurationNode(Line);

/// <summary>A map of names and what they stand for, in the file's order; no name occurs twice.</summary>
internal sealed record MapNode(int Line, IReadOnlyList<MapEntry> Entries) : ConfigurationNode(Line);

/// <summary>A name and what it stands for.</summary>
internal sealed record MapEntry(string Name, int Line, ConfigurationNode Value);
