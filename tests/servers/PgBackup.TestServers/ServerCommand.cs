namespace PgBackup.TestServers;

/// <summary>A program with its arguments, and what its environment holds besides ours.</summary>
internal sealed record ServerCommand(string Program, string[] Arguments, Dictionary<string, string> Environment);
