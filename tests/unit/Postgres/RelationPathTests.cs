using PgBackup.Postgres.Files;

namespace PgBackup.Tests.Postgres;

public sealed class RelationPathTests
{
    [Theory]
    [InlineData("base/5/16384", 1663u, 5u, 16384u, RelationFork.Main, 0u)]
    [InlineData("base/5/16384.12", 1663u, 5u, 16384u, RelationFork.Main, 12u)]
    [InlineData("base/5/16384_fsm", 1663u, 5u, 16384u, RelationFork.FreeSpaceMap, 0u)]
    [InlineData("base/5/16384_vm.1", 1663u, 5u, 16384u, RelationFork.VisibilityMap, 1u)]
    [InlineData("base/5/16384_init", 1663u, 5u, 16384u, RelationFork.Init, 0u)]
    [InlineData("global/1262", 1664u, 0u, 1262u, RelationFork.Main, 0u)]
    [InlineData("pg_tblspc/16500/PG_15_202209061/5/4294967295.3", 16500u, 5u, 4294967295u, RelationFork.Main, 3u)]
    public void Relation_files(string path, uint tablespace, uint database, uint node, RelationFork fork, uint segment) =>
        Assert.Equal(new RelationPath(DataFileKind.Relation, tablespace, database, node, fork, segment), RelationPath.Classify(path));

    [Theory]
    [InlineData("base/5/t3_16384")]
    [InlineData("base/5/t3_16384_fsm.2")]
    [InlineData("pg_tblspc/16500/PG_15_202209061/5/t0_17000")]
    public void Temporary_relation_files(string path) => Assert.Equal(DataFileKind.TemporaryRelation, RelationPath.Classify(path).Kind);

    [Theory]
    [InlineData("")]
    [InlineData("PG_VERSION")]
    [InlineData("16384")]
    [InlineData("base/5/")]
    [InlineData("base/5/PG_VERSION")]
    [InlineData("base/5/pg_filenode.map")]
    [InlineData("base/5/pg_internal.init")]
    [InlineData("base/5/pg_internal.init.1234")]
    [InlineData("base/5/0")]
    [InlineData("base/5/16384.0")]
    [InlineData("base/5/16384_fsm_vm")]
    [InlineData("base/5/99999999999")]
    [InlineData("base/5/4294967296")]
    [InlineData("base/16384")]
    [InlineData("base/pgsql_tmp/16384")]
    [InlineData("base/pgsql_tmp/pgsql_tmp1.0")]
    [InlineData("global/pg_control")]
    [InlineData("pg_xact/0000")]
    [InlineData("pg_wal/000000010000000000000001")]
    [InlineData("pg_tblspc/16500/5/16384")]
    [InlineData("base/5/16384\n")]
    [InlineData("x/base/5/16384")]
    public void Other_files(string path) => Assert.Equal(default, RelationPath.Classify(path));

    [Fact]
    public void Blocks_are_counted_from_the_first_file()
    {
        Assert.Equal(0u, RelationPath.Classify("base/5/16384").FirstBlock(131072));
        Assert.Equal(131072u * 7, RelationPath.Classify("base/5/16384.7").FirstBlock(131072));
    }
}
