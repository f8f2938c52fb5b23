using FsCheck;
using FsCheck.Fluent;
using Npgsql;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Postgres;

public sealed class LabelFileTests
{
    [Fact]
    public async Task Reads_what_the_server_hands_out()
    {
        await using PostgresCluster cluster = await PostgresCluster.RunAsync();
        string plain = await cluster.CreateTablespaceAsync("plain");
        string odd = await cluster.CreateTablespaceAsync("odd \\ name\nof two lines");
        await using NpgsqlConnection connection = new(cluster.ConnectionString);
        await connection.OpenAsync();
        await using NpgsqlCommand start = new("SELECT pg_backup_start('label: of\nLABEL: two lines', true)::text", connection);
        Lsn startLsn = Lsn.Parse((string)(await start.ExecuteScalarAsync())!);
        await using NpgsqlCommand stop = new("SELECT labelfile, spcmapfile FROM pg_backup_stop(false)", connection);
        await using NpgsqlDataReader reader = await stop.ExecuteReaderAsync();
        Assert.True(await reader.ReadAsync());
        string labelText = reader.GetString(0), mapText = reader.GetString(1);

        BackupLabel label = BackupLabel.Parse(labelText);
        Assert.Equal(startLsn, label.StartLsn);
        Assert.Equal(WalSegmentName.Containing(TimelineId.First, startLsn, WalSegmentSize.Default), label.StartSegment);
        Assert.True(label.CheckpointLsn >= startLsn);
        Assert.Equal("streamed", label.Method);
        Assert.False(label.FromStandby);
        Assert.Equal("label: of", label.Label);
        Assert.Equal(TimelineId.First, label.StartTimeline);
        Assert.Null(label.IncrementalFromLsn);
        Assert.NotEmpty(label.StartTime);

        TablespaceMap map = TablespaceMap.Parse(mapText);
        Assert.Equal([plain, odd], map.Entries.OrderBy(e => e.Oid).Select(e => e.Location));
        Assert.Equal(mapText, map.Format());
    }

    [Fact]
    public void Label_of_an_incremental_backup()
    {
        BackupLabel label = BackupLabel.Parse(
            "START WAL LOCATION: 2/C0000028 (file 0000000300000002000000C0)\nCHECKPOINT LOCATION: 2/C0000080\nBACKUP METHOD: streamed\n"
            + "BACKUP FROM: standby\nSTART TIME: 2026-01-01 00:00:00 UTC\nLABEL: x\nSTART TIMELINE: 3\nINCREMENTAL FROM LSN: 1/28\nINCREMENTAL FROM TLI: 2\n");
        Assert.True(label.FromStandby);
        Assert.Equal(Lsn.Parse("1/28"), label.IncrementalFromLsn);
        Assert.Equal(new TimelineId(2), label.IncrementalFromTimeline);
    }

    [Theory]
    [InlineData("")]
    [InlineData("START WAL LOCATION: 2/C0000028\nCHECKPOINT LOCATION: 2/C0000080\n")]
    [InlineData("START WAL LOCATION: x (file 0000000300000002000000C0)\nCHECKPOINT LOCATION: 2/C0000080\n")]
    [InlineData("START WAL LOCATION: 2/C0000028 (file 0000000300000002000000C0)\n")]
    [InlineData("START WAL LOCATION: 2/C0000028 (file 0000000300000002000000C0)\nCHECKPOINT LOCATION: 2/C0000080\nSTART TIMELINE: 4\n")]
    public void Damaged_labels_are_refused(string text) =>
        Assert.Equal("BackupLabelInvalid", Assert.Throws<PgBackupException>(() => BackupLabel.Parse(text)).Id);

    [Fact]
    public void Tablespace_maps_come_back_as_they_were() => Prop.ForAll(
        ArbMap.Default.ArbFor<(uint Oid, NonEmptyString Location)[]>(),
        entries =>
        {
            TablespaceMap map = new([.. entries.Where(e => e.Oid > 0).Select(e => new TablespaceLocation(e.Oid, e.Location.Get))]);
            return TablespaceMap.Parse(map.Format()) == map;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Locations_are_rewritten_by_oid()
    {
        TablespaceMap map = TablespaceMap.Parse("16400 /a\r\n16401 /b c\n");
        TablespaceMap moved = map.Rewrite(new Dictionary<uint, string> { [16401] = "/new\\place" });
        Assert.Equal("16400 /a\n16401 /new\\\\place\n", moved.Format());
        Assert.Equal(TablespaceMap.Empty, TablespaceMap.Parse(""));
    }

    [Theory]
    [InlineData("16400")]
    [InlineData("16400 /a")]
    [InlineData("16400 \n")]
    [InlineData("x /a\n")]
    [InlineData("0 /a\n")]
    [InlineData("16400 /a\\\n")]
    public void Damaged_maps_are_refused(string text) =>
        Assert.Equal("TablespaceMapInvalid", Assert.Throws<PgBackupException>(() => TablespaceMap.Parse(text)).Id);
}
