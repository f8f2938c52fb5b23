namespace PgBackup.Codecs.Gpg;

/// <summary>Where the private key is that opens what WAL-G encrypted with PGP.</summary>
public sealed record GpgSettings
{
    /// <summary>The setting that names it, for errors.</summary>
    public required string Source { get; init; }

    /// <summary>The key itself, armored or not; null when gpg's own key ring holds it.</summary>
    public ReadOnlyMemory<byte>? Key { get; init; }

    /// <summary>What the key is locked with; null when it is not, or when gpg's agent knows.</summary>
    public SecretText? Passphrase { get; init; }

    /// <summary>Only the setting's name: the rest is secret.</summary>
    public override string ToString() => Source;
}
