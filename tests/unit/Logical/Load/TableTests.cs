using PgBackup.Errors;
using PgBackup.Logical.Load;

namespace PgBackup.Tests.Logical.Load;

/// <summary>A table comes with all that belongs to it, and with nothing else.</summary>
public sealed class TableTests(LoadLab lab) : IClassFixture<LoadLab>
{
    private const string Shop = """
        CREATE SCHEMA app; CREATE SCHEMA "Odd.Schema"; CREATE TYPE app.mood AS ENUM ('a', 'b'); CREATE DOMAIN app.note AS text;
        CREATE FUNCTION app.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE FUNCTION app.unused() RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE TABLE app.customer (id serial PRIMARY KEY);
        CREATE TABLE app.orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int REFERENCES app.customer, mood app.mood, note app.note UNIQUE, n serial);
        CREATE INDEX by_mood ON app.orders (mood); CREATE TRIGGER stamp BEFORE INSERT ON app.orders FOR EACH ROW EXECUTE FUNCTION app.stamp(); COMMENT ON TRIGGER stamp ON app.orders IS 't';
        ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON app.orders USING (true); COMMENT ON COLUMN app.orders.note IS 'c'; GRANT SELECT ON app.orders TO PUBLIC;
        CREATE VIEW app.seen AS SELECT * FROM app.orders; CREATE TABLE app."orders x" (a int); CREATE TABLE orders (a int); CREATE TABLE "Odd.Schema"."t.able;--" (a int);
        CREATE TABLE app.parts (k int, v text) PARTITION BY LIST (k); CREATE TABLE app.part_1 PARTITION OF app.parts FOR VALUES IN (1) PARTITION BY LIST (v);
        CREATE TABLE app.part_1a PARTITION OF app.part_1 DEFAULT; CREATE TABLE app.part_2 PARTITION OF app.parts DEFAULT; CREATE INDEX ON app.parts (v);
        INSERT INTO app.customer DEFAULT VALUES; INSERT INTO app.orders (customer, mood, note) SELECT 1, 'a', g::text FROM generate_series(1, 10) g; INSERT INTO app."orders x" VALUES (1);
        INSERT INTO app.parts VALUES (1, 'x'), (2, 'y'); INSERT INTO "Odd.Schema"."t.able;--" VALUES (5);
        """;

    private static int s_count;

    [Theory]
    [InlineData("c")]
    [InlineData("d")]
    [InlineData("t")]
    public async Task ATableComesWithAllThatBelongsToIt(string format)
    {
        string source = await ShopAsync(), target = $"{source} x";
        var log = new LinesLog();
        (DatabaseRestoreResult result, List<PgBackupException> errors) = await LoadLab.RestoreAsync(
            await DumpSource.FromPathAsync(await lab.DumpAsync(source, format)), lab.Into(target) with { Tables = ["app.orders"] }, log: log);
        Assert.Empty(errors);
        Assert.Equal(1, result.TableCount);
        // The foreign key leads to a table that is not there.
        Assert.Contains(log.Lines, line => line.Contains("FK CONSTRAINT app.orders orders_customer_fkey was left out", StringComparison.Ordinal));
        await lab.Cluster.ExecuteAsync("ALTER TABLE app.orders DROP CONSTRAINT orders_customer_fkey; DROP TRIGGER stamp ON app.orders", source);
        await lab.Cluster.ExecuteAsync("DROP TRIGGER stamp ON app.orders", target);
        Assert.Equal(await lab.PictureAsync(source, "--table=app.orders"), await lab.PictureAsync(target, "--table=app.orders"));
        Assert.Equal("customer_absent,mood,note,stamp", await lab.Cluster.ScalarAsync<string>("""
            SELECT CASE WHEN to_regclass('app.customer') IS NULL AND to_regclass('app.seen') IS NULL AND to_regproc('app.unused') IS NULL THEN 'customer_absent' END
                || ',' || to_regtype('app.mood')::regtype::text || ',' || to_regtype('app.note')::text || ',' || to_regproc('app.stamp')::text FROM (SELECT set_config('search_path', 'app', false)) s
            """, target));
        Assert.Equal(11, await lab.Cluster.ScalarAsync<int>("INSERT INTO app.orders (mood) VALUES ('b') RETURNING id", target));
    }

    [Theory]
    [InlineData("app.orders x", "app.\"orders x\"", 1L)]
    [InlineData("Odd.Schema.t.able;--", "\"Odd.Schema\".\"t.able;--\"", 1L)]
    [InlineData("\"Odd.Schema\".\"t.able;--\"", "\"Odd.Schema\".\"t.able;--\"", 1L)]
    [InlineData("t.able;--", "\"Odd.Schema\".\"t.able;--\"", 1L)]
    [InlineData("app.parts", "app.parts", 2L)]
    [InlineData("app.part_1a", "app.part_1a", 1L)]
    public async Task NamesAreNamesAndNoPatterns_AndPartitionsComeAlong(string table, string sqlName, long rows)
    {
        string source = await ShopAsync(), target = $"{source} y";
        (_, List<PgBackupException> errors) = await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(await lab.DumpAsync(source, "c")), lab.Into(target) with { Tables = [table] });
        Assert.Empty(errors);
        Assert.Equal(rows, await lab.Cluster.ScalarAsync<long>($"SELECT count(*) FROM {sqlName}", target));
    }

    [Theory]
    [InlineData("app.order*", "TableNotInDump")]
    [InlineData("APP.ORDERS", "TableNotInDump")]
    [InlineData("--clean", "TableNotInDump")]
    [InlineData("orders", "TableAmbiguous")]
    public async Task WhatIsNotInTheDumpIsSaid_AndNoDatabaseIsLeft(string table, string id)
    {
        string source = await ShopAsync(), path = await lab.DumpAsync(source, "c");
        var error = await Assert.ThrowsAsync<PgBackupException>(async () => await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(path), lab.Into("never made") with { Tables = [table] }));
        Assert.Equal(id, error.Id);
        Assert.False(await lab.HasDatabaseAsync("never made"));
    }

    [Fact]
    public async Task ATableThatIsThereIsRefused_AndOneThatIsNotComesIntoADatabaseThatIsNotEmpty()
    {
        string source = await ShopAsync(), path = await lab.DumpAsync(source, "c");
        LoadOptions options = lab.Into(source) with { Tables = ["app.orders"] };
        Assert.Equal("TargetHoldsObjects", (await Assert.ThrowsAsync<PgBackupException>(async () => await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(path), options))).Id);
        await lab.Cluster.ExecuteAsync("DROP TABLE app.orders CASCADE", source);
        (_, List<PgBackupException> errors) = await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(path), options);
        Assert.Empty(errors);
        // The table that the foreign key leads to is there this time.
        Assert.Equal(1L, await lab.Cluster.ScalarAsync<long>("SELECT count(*) FROM pg_constraint WHERE conname = 'orders_customer_fkey'", source));
        (_, errors) = await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(path), options with { Clean = true, SingleTransaction = true });
        Assert.Empty(errors);
    }

    [Fact]
    public async Task ASchemaComesWithItself_AndNothingElse()
    {
        string source = await ShopAsync(), path = await lab.DumpAsync(source, "d"), target = $"{source} z";
        (_, List<PgBackupException> errors) = await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(path), lab.Into(target) with { Schemas = ["app"], ThrottleLimit = 2 });
        Assert.Empty(errors);
        Assert.Equal(await lab.PictureAsync(source, "--schema=app"), await lab.PictureAsync(target, "--schema=app"));
        Assert.True(await lab.Cluster.ScalarAsync<bool>("SELECT to_regclass('public.orders') IS NULL", target));
        Assert.Equal("SchemaNotInDump", (await Assert.ThrowsAsync<PgBackupException>(async () =>
            await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(path), lab.Into("never made") with { Schemas = ["ap"] }))).Id);
    }

    private Task<string> ShopAsync() => lab.CreateAsync($"shop_{Interlocked.Increment(ref s_count)}", Shop);
}
