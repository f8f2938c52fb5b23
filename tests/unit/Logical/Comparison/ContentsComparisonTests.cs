using FsCheck;
using FsCheck.Fluent;
using PgBackup.Logical.Comparison;
using Xunit;

namespace PgBackup.Tests.Logical.Comparison;

/// <summary>What is told when what was restored is not what was dumped.</summary>
public sealed class ContentsComparisonTests
{
    [Fact]
    public void AnythingThatIsTakenAwayAddedOrCountedOtherwiseIsTold() => Prop.ForAll(
        (from names in Gen.Choose(0, 6).ListOf() from tables in Gen.Choose(0, 9).ListOf() from large in Gen.Choose(0, 50) select (names, tables, large)).ToArbitrary(),
        given =>
        {
            ContentObject[] objects = [.. given.names.Select(n => new ContentObject("TABLE", n % 2 == 0 ? "a" : null, $"t{n}"))];
            var rows = given.tables.Distinct().ToDictionary(n => new TableName("a", $"t{n}"), n => (long?)n);
            var dumped = new DatabaseContents { Objects = objects, Rows = rows, LargeObjects = given.large };
            Assert.Empty(ContentsComparison.Compare(dumped, dumped with { Objects = [.. objects.Reverse()] }));
            Assert.Single(ContentsComparison.Compare(dumped, dumped with { LargeObjects = given.large + 1 }));
            Assert.Single(ContentsComparison.Compare(dumped, dumped with { Objects = [.. objects, new ContentObject("VIEW", "a", "new")] }));
            for (int i = 0; i < objects.Length; i++)
                Assert.Equal(objects[i].ToString(), Assert.Single(ContentsComparison.Compare(dumped, dumped with { Objects = [.. objects[..i], .. objects[(i + 1)..]] })).Object);
            foreach (TableName table in rows.Keys)
            {
                Assert.Equal(table.ToString(), Assert.Single(ContentsComparison.Compare(dumped, dumped with { Rows = new Dictionary<TableName, long?>(rows) { [table] = rows[table] + 1 } })).Object);
                Assert.Equal(table.ToString(), Assert.Single(ContentsComparison.Compare(dumped, dumped with { Rows = new Dictionary<TableName, long?>(rows) { [table] = null } })).Object);
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void ADumpOfTablesNeedsTheirSchemas()
    {
        var contents = new DatabaseContents
        {
            Objects = [new("TABLE", "app", "t"), new("INDEX", "app", "i"), new("TABLE", "public", "p"), new("SCHEMA", null, "there"), new("TABLE", "there", "x")],
            Rows = new Dictionary<TableName, long?>(),
        };
        Assert.Equal(["app"], contents.MissingSchemas());
    }
}
