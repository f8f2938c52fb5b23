using FsCheck;
using FsCheck.Fluent;

namespace PgBackup.Tests.Values;

/// <summary>Positions in the WAL, segments and their names: what must hold for all of them.</summary>
public sealed class PositionPropertyTests
{
    private static readonly Gen<WalSegmentSize> s_size = Gen.Choose(20, 30).Select(power => new WalSegmentSize(1 << power));

    private static readonly Gen<ulong> s_word = Gen.OneOf(
        ArbMap.Default.GeneratorFor<ulong>(), Gen.Choose(0, 70_000).Select(n => (ulong)n), Gen.Choose(0, 64).Select(n => n == 64 ? ulong.MaxValue : 1UL << n));

    private static readonly Gen<TimelineId> s_timeline = Gen.Choose(1, int.MaxValue).Select(n => new TimelineId((uint)n));

    [Fact]
    public void AnLsnReadsBackFromItsText() => Prop.ForAll(s_word.ToArbitrary(), value =>
    {
        var lsn = new Lsn(value);
        Assert.Equal(lsn, Lsn.Parse(lsn.ToString()));
        Assert.Equal($"{value >> 32:X}/{(uint)value:X}", lsn.ToString());
        Assert.Equal(lsn, Lsn.Parse($"{value >> 32:x8}/{(uint)value:x8}"));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void LsnArithmeticIsExactOrRefused() => Prop.ForAll(s_word.ToArbitrary(), s_word.ToArbitrary(), (a, b) =>
    {
        if (a <= ulong.MaxValue - b)
            Assert.Equal(new Lsn(a), new Lsn(a) + b - b);
        else
            Assert.Throws<OverflowException>(() => new Lsn(a) + b);
        Assert.Equal(a.CompareTo(b), new Lsn(a).CompareTo(new Lsn(b)));
        Assert.Equal(a < b, new Lsn(a) < new Lsn(b));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void APositionLiesInTheSegmentThatIsNamedForIt() => Prop.ForAll(s_word.ToArbitrary(), s_size.ToArbitrary(), s_timeline.ToArbitrary(), (value, size, timeline) =>
    {
        var lsn = new Lsn(value);
        WalSegmentName name = WalSegmentName.Containing(timeline, lsn, size);
        Assert.Equal(lsn.Value, name.StartFor(size).Value + (ulong)size.OffsetOf(lsn));
        Assert.Equal(size.SegmentNumberOf(lsn), name.NumberFor(size));
        Assert.Equal(timeline, name.Timeline);
        Assert.True(name.Segment < size.SegmentsPerLogId);
        Assert.Equal(name, WalSegmentName.Parse(name.ToString()));
        Assert.Equal(24, name.ToString().Length);
        if (size.SegmentNumberOf(lsn) < size.SegmentNumberOf(new Lsn(ulong.MaxValue)))
        {
            WalSegmentName next = name.NextFor(size);
            Assert.Equal(name.NumberFor(size) + 1, next.NumberFor(size));
            Assert.True(name.CompareTo(next) < 0 && string.CompareOrdinal(name.ToString(), next.ToString()) < 0);
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void NamesOfBackupsReadBack() => Prop.ForAll(s_word.ToArbitrary(), s_word.ToArbitrary(), s_timeline.ToArbitrary(), (a, b, timeline) =>
    {
        WalSegmentName segment = WalSegmentName.Containing(timeline, new Lsn(a), WalSegmentSize.Default), parent = WalSegmentName.Containing(timeline, new Lsn(b), WalSegmentSize.Default);
        foreach (BackupName name in (BackupName[])[BackupName.Full(segment), BackupName.Delta(segment, parent)])
        {
            Assert.True(BackupName.TryParse(name.Text, out BackupName? read));
            Assert.Equal((name.Text, name.Segment, name.ParentSegment, name.IsDelta), (read.Text, read.Segment, read.ParentSegment, read.IsDelta));
            Assert.False(BackupName.TryParse(name.Text + "/..", out _));
            Assert.False(BackupName.TryParse(name.Text.ToLowerInvariant() + "g", out _));
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void NamesOfWalFilesReadBack() => Prop.ForAll(s_word.ToArbitrary(), s_timeline.ToArbitrary(), (value, timeline) =>
    {
        WalSegmentName segment = WalSegmentName.Containing(timeline, new Lsn(value), WalSegmentSize.Default);
        foreach ((string text, WalFileKind kind) in ((string, WalFileKind)[])
            [($"{segment}", WalFileKind.Segment), ($"{timeline.Value:X8}.history", WalFileKind.History), ($"{segment}.partial", WalFileKind.Partial), ($"{segment}.00000028.backup", WalFileKind.BackupHistory)])
        {
            Assert.True(WalFileName.TryParse(text, out WalFileName? read));
            Assert.Equal((text, kind, timeline), (read.Name, read.Kind, read.Timeline));
            foreach (string wrong in (string[])[text + "x", "x" + text, "../" + text, text + "\n", text.ToLowerInvariant() == text ? "" : text.ToLowerInvariant()])
                Assert.False(WalFileName.TryParse(wrong, out _));
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void WhateverTheTextParsingOnlySaysNo() => Prop.ForAll(ArbMap.Default.GeneratorFor<string>().ToArbitrary(), text =>
    {
        _ = Lsn.TryParse(text, null, out _);
        _ = WalSegmentName.TryParse(text, out _);
        _ = BackupName.TryParse(text, out _);
        _ = WalFileName.TryParse(text, out _);
        _ = ByteSize.TryParse(text, out _);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void SizesReadBackAndTheirTextIsNear() => Prop.ForAll(s_word.Select(v => (long)(v >> 1)).ToArbitrary(), bytes =>
    {
        var size = new ByteSize(bytes);
        Assert.True(ByteSize.TryParse(bytes.ToString(System.Globalization.CultureInfo.InvariantCulture), out ByteSize exact));
        Assert.Equal(size, exact);
        if (ByteSize.TryParse(size.ToString(), out ByteSize near))
            Assert.True(Math.Abs((double)near.Bytes - bytes) <= (bytes * 0.006) + 1, $"{size} for {bytes}");
        else
            Assert.True(bytes > long.MaxValue * 0.99, size.ToString());
        foreach ((string unit, int power) in ((string, int)[])[("kB", 10), ("MB", 20), ("GiB", 30), ("T", 40)])
            Assert.Equal((bytes >> 45) << power, ByteSize.Parse($"{bytes >> 45} {unit}").Bytes);
    }).QuickCheckThrowOnFailure();
}
