using FsCheck;
using FsCheck.Fluent;
using PgBackup.Errors;
using PgBackup.Extraction;

namespace PgBackup.Tests.Extraction;

public sealed class TableNameTests
{
    [Theory]
    [InlineData("orders", null, "orders")]
    [InlineData("app.orders", "app", "orders")]
    [InlineData("App.\"my.table\"", "App", "my.table")]
    [InlineData("\"a\"\"b\".\" \"", "a\"b", " ")]
    [InlineData("-x.y", "-x", "y")]
    public void Parts(string text, string? schema, string table)
    {
        TableName name = TableName.Parse(text);
        Assert.Equal(schema, name.Schema?.Value);
        Assert.Equal(table, name.Table.Value);
        Assert.Null(name.Table.Pattern);
    }

    [Theory]
    [InlineData("")]
    [InlineData("app.")]
    [InlineData(".orders")]
    [InlineData("a.b.c")]
    [InlineData("\"a")]
    [InlineData("a.\"\"")]
    public void NoNames(string text) => Assert.Equal("TableNameInvalid", Assert.Throws<PgBackupException>(() => TableName.Parse(text)).Id);

    [Fact]
    public void Wildcards()
    {
        Assert.Equal("%\\_x_", TableName.Parse("*_x?").Table.Pattern);
        Assert.Null(TableName.Parse("\"*_x?\"").Table.Pattern);
    }

    [Fact]
    public void WhatIsQuotedIsReadBack() => Prop.ForAll(ArbMap.Default.ArbFor<NonEmptyString>(), ArbMap.Default.ArbFor<NonEmptyString>(), (schema, table) =>
    {
        var found = new FoundTable(schema.Get, table.Get);
        TableName quoted = TableName.Parse(found.Quoted);
        TableName readable = TableName.Parse(found.ToString());
        return (quoted.Schema!.Value, quoted.Table.Value) == (schema.Get, table.Get) && (readable.Schema!.Value, readable.Table.Value) == (schema.Get, table.Get) && readable.Table.Pattern is null;
    }).QuickCheckThrowOnFailure();
}
