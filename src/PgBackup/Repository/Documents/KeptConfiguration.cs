using System.Text.Json.Serialization;

namespace PgBackup.Repository.Documents;

/// <summary>Which of the kept configuration files is which; the first member of a backup's configuration tar.</summary>
/// <param name="ConfigFile">The main file's path when the backup was taken.</param>
/// <param name="HbaFile">The path of pg_hba.conf.</param>
/// <param name="IdentFile">The path of pg_ident.conf.</param>
/// <param name="DataDirectory">The data directory.</param>
public sealed record KeptConfiguration(
    [property: JsonPropertyName("config_file")] string ConfigFile,
    [property: JsonPropertyName("hba_file")] string HbaFile,
    [property: JsonPropertyName("ident_file")] string IdentFile,
    [property: JsonPropertyName("data_directory")] string DataDirectory)
{
    /// <summary>The name of the member that holds this document.</summary>
    public const string MemberName = "pgbackup_config.json";
}
