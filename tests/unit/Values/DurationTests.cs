using System.Globalization;
using System.Xml;
using FsCheck;
using FsCheck.Fluent;

namespace PgBackup.Tests.Values;

public sealed class DurationTests
{
    [Theory]
    [InlineData("7d", "7.00:00:00")]
    [InlineData("36h", "1.12:00:00")]
    [InlineData("90s", "00:01:30")]
    [InlineData("1d 12h", "1.12:00:00")]
    [InlineData("1 day 2 hours", "1.02:00:00")]
    [InlineData("15 min", "00:15:00")]
    [InlineData("5m", "00:05:00")]
    [InlineData("500ms", "00:00:00.5")]
    [InlineData("1s500ms", "00:00:01.5")]
    [InlineData("1.5h", "01:30:00")]
    [InlineData("2w", "14.00:00:00")]
    [InlineData("P7D", "7.00:00:00")]
    [InlineData("PT36H", "1.12:00:00")]
    [InlineData("P1DT2H3M4.5S", "1.02:03:04.5")]
    [InlineData("1.12:00:00", "1.12:00:00")]
    [InlineData("00:05", "00:05:00")]
    public void ReadsWhatPeopleWrite(string text, string expected) =>
        Assert.Equal(TimeSpan.Parse(expected, CultureInfo.InvariantCulture), Duration.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("90")]
    [InlineData("-5m")]
    [InlineData("-00:05:00")]
    [InlineData("1M2d")]
    [InlineData("P1M")]
    [InlineData("P1Y")]
    [InlineData("P")]
    [InlineData("PT")]
    [InlineData("2 fortnights")]
    [InlineData("99999999999999w")]
    [InlineData("99999999999999999999999999999999999w")]
    public void RefusesTheRest(string text) => Assert.Throws<FormatException>(() => Duration.Parse(text));

    [Fact]
    public void BothStandardFormsAreReadBack() =>
        Prop.ForAll(
            ArbMap.Default.ArbFor<TimeSpan>(),
            span =>
            {
                TimeSpan positive = new(span.Ticks & (long.MaxValue / 2));
                return Duration.Parse(positive.ToString("c", CultureInfo.InvariantCulture)) == positive
                    && Duration.Parse(XmlConvert.ToString(positive)) == positive;
            }).QuickCheckThrowOnFailure();
}
