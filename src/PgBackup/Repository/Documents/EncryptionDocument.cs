namespace PgBackup.Repository.Documents;

/// <summary>How the objects of a repository are encrypted, and how to see that a key is the right one. It holds no key.</summary>
/// <param name="Version">The version of this document.</param>
/// <param name="Method"><see cref="NoMethod"/> or <see cref="SecretStreamMethod"/>.</param>
/// <param name="KeyId">What the key is called; null without encryption.</param>
/// <param name="KeyCheck">A known text, encrypted as objects are, in base64; null without encryption.</param>
/// <param name="RecordedAt">When it was recorded.</param>
public sealed record EncryptionDocument(int Version, string? Method, string? KeyId, string? KeyCheck, DateTimeOffset RecordedAt)
{
    /// <summary>The version that is written.</summary>
    public const int CurrentVersion = 1;

    /// <summary>The objects are not encrypted.</summary>
    public const string NoMethod = "none";

    /// <summary>libsodium's secretstream in chunks of 8192 bytes, as WAL-G does it.</summary>
    public const string SecretStreamMethod = "libsodium-secretstream";
}
