using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace PgBackup.Repository.Documents;

/// <summary>A tablespace of a backup.</summary>
/// <param name="Oid">Its OID, the name of the link in <c>pg_tblspc</c>.</param>
/// <param name="Location">Where it lay.</param>
public sealed record BackupTablespace(uint Oid, string Location);

/// <summary>
/// WAL-G's tablespace specification: <c>{"base_prefix": …, "tablespaces": ["16385"], "16385": {"loc": …, "link": "pg_tblspc/16385"}}</c>.
/// </summary>
[JsonConverter(typeof(TablespaceSpecConverter))]
public sealed record TablespaceSpec(string BasePrefix, IReadOnlyList<BackupTablespace> Tablespaces);

/// <summary>Reads and writes the specification, whose member names are OIDs.</summary>
internal sealed class TablespaceSpecConverter : JsonConverter<TablespaceSpec>
{
    public override TablespaceSpec? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        using JsonDocument document = JsonDocument.ParseValue(ref reader);
        JsonElement root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object)
            return null;
        var tablespaces = new List<BackupTablespace>();
        if (root.TryGetProperty("tablespaces", out JsonElement names) && names.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement name in names.EnumerateArray())
            {
                string oid = TextOf(name) ?? throw new JsonException("A tablespace has no name.");
                if (!uint.TryParse(oid, NumberStyles.None, CultureInfo.InvariantCulture, out uint number))
                    throw new JsonException($"'{oid}' is not the OID of a tablespace.");
                if (!root.TryGetProperty(oid, out JsonElement entry) || Member(entry, "loc") is not { } location)
                    throw new JsonException($"The tablespace {oid} has no location.");
                tablespaces.Add(new BackupTablespace(number, location));
            }
        }
        return new TablespaceSpec(Member(root, "base_prefix") ?? "", tablespaces);
    }

    private static string? Member(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement value) ? TextOf(value) : null;

    private static string? TextOf(JsonElement element) => element.ValueKind == JsonValueKind.String ? element.GetString() : null;

    public override void Write(Utf8JsonWriter writer, TablespaceSpec value, JsonSerializerOptions options)
    {
        writer.WriteStartObject();
        writer.WriteString("base_prefix", value.BasePrefix);
        writer.WriteStartArray("tablespaces");
        foreach (BackupTablespace tablespace in value.Tablespaces)
            writer.WriteStringValue(tablespace.Oid.ToString(CultureInfo.InvariantCulture));
        writer.WriteEndArray();
        foreach (BackupTablespace tablespace in value.Tablespaces)
        {
            string oid = tablespace.Oid.ToString(CultureInfo.InvariantCulture);
            writer.WriteStartObject(oid);
            writer.WriteString("loc", tablespace.Location);
            writer.WriteString("link", "pg_tblspc/" + oid);
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
    }
}
