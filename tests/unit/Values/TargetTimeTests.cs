using System.Globalization;
using FsCheck;
using FsCheck.Fluent;

namespace PgBackup.Tests.Values;

public sealed class TargetTimeTests
{
    private static readonly TimeZoneInfo s_berlin = TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin");
    private static readonly DateTimeOffset s_now = new(2024, 1, 15, 18, 0, 0, TimeSpan.FromHours(1));

    [Theory]
    [InlineData("2024-01-15 14:30:00 UTC", "2024-01-15T14:30:00Z")]
    [InlineData("2024-01-15 14:30:00Z", "2024-01-15T14:30:00Z")]
    [InlineData("2024-01-15T14:30:00Z", "2024-01-15T14:30:00Z")]
    [InlineData("20240115T143000Z", "2024-01-15T14:30:00Z")]
    [InlineData("2024-01-15 14:30:00.123456+02", "2024-01-15T12:30:00.123456Z")]
    [InlineData("2024-01-15 14:30:00.123456789-0330", "2024-01-15T18:00:00.123456Z")]
    [InlineData("2024-01-15 14:30:00+05:30", "2024-01-15T09:00:00Z")]
    [InlineData("2024-01-15 14:30:00 +05:30", "2024-01-15T09:00:00Z")]
    [InlineData("2024-01-15 14:30 Europe/Berlin", "2024-01-15T13:30:00Z")]
    [InlineData("2024-07-15 14:30 America/Argentina/Buenos_Aires", "2024-07-15T17:30:00Z")]
    [InlineData("2024-07-15 14:30", "2024-07-15T12:30:00Z")]
    [InlineData("2024-10-27 02:30:00+01", "2024-10-27T01:30:00Z")]
    [InlineData("2024/1/5 2:30 PM", "2024-01-05T13:30:00Z")]
    [InlineData("2024-01-15 12:05 am", "2024-01-14T23:05:00Z")]
    [InlineData("2024-01-15", "2024-01-14T23:00:00Z")]
    [InlineData("14:30", "2024-01-15T13:30:00Z")]
    [InlineData("14:30:05 UTC", "2024-01-15T14:30:05Z")]
    [InlineData("Mon Jan 15 14:30:00.5 2024 UTC", "2024-01-15T14:30:00.5Z")]
    [InlineData("Mon Jan 15 14:30:00 UTC 2024", "2024-01-15T14:30:00Z")]
    [InlineData("Mon, 15 Jan 2024 14:30:00 GMT", "2024-01-15T14:30:00Z")]
    [InlineData("January 15, 2024 14:30:00+00", "2024-01-15T14:30:00Z")]
    [InlineData("15 sept 2024 14:30Z", "2024-09-15T14:30:00Z")]
    [InlineData("29 Feb 2024", "2024-02-28T23:00:00Z")]
    public void ReadsWhatPeopleWrite(string text, string expected)
    {
        Assert.True(TargetTime.TryParse(text, s_berlin, s_now, out DateTimeOffset time, out string? reason), reason);
        Assert.Equal(DateTimeOffset.Parse(expected, CultureInfo.InvariantCulture), time);
    }

    [Theory]
    [InlineData("", "not a time")]
    [InlineData("soon", "not a time")]
    [InlineData("infinity", "not a time")]
    [InlineData("01/02/2024 14:30", "can be confused")]
    [InlineData("1.2.24", "can be confused")]
    [InlineData("2024-02-30 14:30", "does not exist")]
    [InlineData("2024-13-01 14:30", "does not exist")]
    [InlineData("2024-01-15 25:30", "does not exist")]
    [InlineData("2024-01-15 13:30 PM", "does not exist")]
    [InlineData("15 Juneuary 2024", "does not exist")]
    [InlineData("Tue Jan 15 14:30:00 2024", "Monday")]
    [InlineData("2024-01-15 14:30:00 CET", "more than one offset")]
    [InlineData("2024-01-15 14:30:00 UTC+3", "more than one offset")]
    [InlineData("2024-01-15 14:30:00 Europe/Atlantis", "not known")]
    [InlineData("2024-01-15 14:30:00+15", "offset")]
    [InlineData("0001-01-01 00:00:00+05", "outside the calendar")]
    [InlineData("2024-10-27 02:30", "+02:00 or +01:00")]
    [InlineData("2024-03-31 02:30 Europe/Berlin", "set forward")]
    [InlineData("2024-01-15 14:30:00+02 UTC", "not a time")]
    public void RefusesWhatCouldBeAnotherMomentAndSaysWhy(string text, string reasonHolds)
    {
        Assert.False(TargetTime.TryParse(text, s_berlin, s_now, out _, out string? reason));
        Assert.Contains(reasonHolds, reason, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsWrittenForPostgresIsReadBack() =>
        Prop.ForAll(
            ArbMap.Default.ArbFor<DateTime>(),
            Gen.Choose(-14 * 60, 14 * 60).ToArbitrary(),
            (moment, minutes) =>
            {
                DateTime whole = new(moment.Ticks - (moment.Ticks % TimeSpan.TicksPerMicrosecond), DateTimeKind.Unspecified);
                TimeSpan offset = TimeSpan.FromMinutes(minutes);
                if (whole.Ticks - offset.Ticks is var universal && (universal < DateTime.MinValue.Ticks || universal > DateTime.MaxValue.Ticks))
                    return true;
                DateTimeOffset time = new(whole, offset);
                return TargetTime.Parse(TargetTime.ToPostgres(time)) is { Offset.Ticks: 0 } back && back == time;
            }).QuickCheckThrowOnFailure();

    [Fact]
    public void NoTextMakesItFail() =>
        Prop.ForAll(
            ArbMap.Default.ArbFor<string>(),
            text => TargetTime.TryParse(text ?? "", s_berlin, s_now, out _, out string? reason) == (reason is null)).QuickCheckThrowOnFailure();

    [Fact]
    public void ADateTimeWithoutAKindIsLocal()
    {
        DateTime noon = new(2024, 1, 15, 12, 0, 0, DateTimeKind.Unspecified);
        Assert.Equal(new DateTimeOffset(noon, TimeZoneInfo.Local.GetUtcOffset(noon)), TargetTime.FromDateTime(noon));
        Assert.Equal(TimeSpan.Zero, TargetTime.FromDateTime(DateTime.SpecifyKind(noon, DateTimeKind.Utc)).Offset);
    }
}
