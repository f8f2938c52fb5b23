using System.Text.Json.Serialization;

namespace PgBackup.Repository.Documents;

/// <summary>Reads and writes the repository's documents without reflection (the native command needs it so).</summary>
[JsonSourceGenerationOptions(PropertyNameCaseInsensitive = true, NumberHandling = JsonNumberHandling.Strict)]
[JsonSerializable(typeof(BackupSentinel))]
[JsonSerializable(typeof(ExtendedMetadata))]
[JsonSerializable(typeof(IndexHeader))]
[JsonSerializable(typeof(IndexedPart))]
[JsonSerializable(typeof(ClusterIdentity))]
[JsonSerializable(typeof(LeaseRecord))]
[JsonSerializable(typeof(EncryptionDocument))]
[JsonSerializable(typeof(KeptConfiguration))]
[JsonSerializable(typeof(BackupLock))]
[JsonSerializable(typeof(RemovalRecord))]
internal sealed partial class RepositoryJson : JsonSerializerContext
{
}
