using System.Text.Json;
using PgBackup.Backup;

namespace PgBackup.Tests.Backup;

public sealed class DatabaseNamesTests
{
    [Fact]
    public async Task ATableStandsThereWithAllThatBelongsToIt()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        await source.Cluster.ExecuteAsync(
            """
            CREATE SCHEMA s;
            CREATE TABLE top (a int PRIMARY KEY) PARTITION BY RANGE (a);
            CREATE TABLE s.middle PARTITION OF top FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (a);
            CREATE TABLE s.leaf PARTITION OF s.middle FOR VALUES FROM (0) TO (50);
            CREATE TABLE mother (a int); CREATE TABLE father (b int); CREATE TABLE child () INHERITS (mother, father);
            CREATE TEMP TABLE fleeting (a int);
            """);
        BackupResult result = await source.BackUpAsync();
        var checker = new WalGBackupChecker(source.RepositoryPath, result.Name);
        await checker.CheckAsync();
        using JsonDocument document = JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(source.RepositoryPath, "basebackups_005", result.Name, "files_metadata.json")));
        JsonElement databases = document.RootElement.GetProperty("DatabasesByNames");
        Assert.Equal(["postgres", "template1"], databases.EnumerateObject().Select(d => d.Name));
        JsonElement tables = databases.GetProperty("postgres").GetProperty("tables_new");

        string[] names = [.. tables.EnumerateObject().Select(t => t.Name)];
        Assert.Equal(names.Distinct(), names);
        Assert.DoesNotContain(names, n => n.Contains("fleeting", StringComparison.Ordinal));
        // wal-g looks one level deep: a table of partitions of partitions names them all.
        Assert.Equal(["s.leaf", "s.middle"], Below(tables, "public.top"));
        Assert.Equal(["s.leaf"], Below(tables, "s.middle"));
        Assert.Equal(["public.child"], Below(tables, "public.mother"));
        Assert.Equal(["public.child"], Below(tables, "public.father"));
        Assert.Equal(0, tables.GetProperty("public.top").GetProperty("relfilenode").GetInt64());
        foreach (string name in (string[])["s.leaf", "public.child", "s.leaf_pkey", "pg_catalog.pg_class", "pg_toast.pg_toast_2618_index"])
        {
            long node = await source.Cluster.ScalarAsync<long>($"SELECT pg_relation_filenode('{name}')::int8");
            Assert.Equal(node, tables.GetProperty(name).GetProperty("relfilenode").GetInt64());
        }
        JsonElement leaf = tables.GetProperty("public.top").GetProperty("subtables").GetProperty("s.leaf");
        Assert.Equal(await source.Cluster.ScalarAsync<long>("SELECT 's.leaf'::regclass::oid::int8"), leaf.GetProperty("oid").GetInt64());
    }

    private static IEnumerable<string> Below(JsonElement tables, string name) =>
        tables.GetProperty(name).GetProperty("subtables").EnumerateObject().Select(t => t.Name).Order(StringComparer.Ordinal);
}
