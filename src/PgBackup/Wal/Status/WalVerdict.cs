namespace PgBackup.Wal.Status;

/// <summary>Collects what the rules find.</summary>
internal sealed class WalVerdict
{
    private readonly List<string> _failures = [];
    private readonly List<string> _warnings = [];
    private readonly List<string> _notes = [];
    private string? _off;

    public WalArchiveHealth Status => _off is not null ? WalArchiveHealth.Off
        : _failures.Count > 0 ? WalArchiveHealth.Failure
        : _warnings.Count > 0 ? WalArchiveHealth.Warning
        : WalArchiveHealth.Ok;

    /// <summary>The gravest first. An array: PowerShell cannot index what a collection expression makes of an interface.</summary>
    public string[] Reasons => [.. _off is null ? Array.Empty<string>() : [_off], .. _failures, .. _warnings];

    public string[] Notes => [.. _notes];

    public void Off(string reason) => _off = reason;

    public void Fail(string reason) => _failures.Add(reason);

    public void Warn(string reason) => _warnings.Add(reason);

    public void Note(string note) => _notes.Add(note);
}
