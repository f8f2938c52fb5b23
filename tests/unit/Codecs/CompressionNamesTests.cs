using PgBackup.Codecs;

namespace PgBackup.Tests.Codecs;

public sealed class CompressionNamesTests
{
    [Theory]
    [InlineData("part_001.tar.zst", "part_001.tar", CompressionMethod.Zstd)]
    [InlineData("part_001.tar.lz4", "part_001.tar", CompressionMethod.Lz4)]
    [InlineData("part_001.tar.br", "part_001.tar", CompressionMethod.Brotli)]
    [InlineData("part_001.tar.lzma", "part_001.tar", CompressionMethod.Lzma)]
    [InlineData("part_001.tar.gz", "part_001.tar", CompressionMethod.Gzip)]
    [InlineData("part_001.tar", "part_001.tar", CompressionMethod.None)]
    [InlineData("part_001.tar.", "part_001.tar", CompressionMethod.None)]
    [InlineData("000000010000000000000002", "000000010000000000000002", CompressionMethod.None)]
    [InlineData("000000010000000000000002.", "000000010000000000000002", CompressionMethod.None)]
    [InlineData("000000010000000000000002.00000028.backup.zst", "000000010000000000000002.00000028.backup", CompressionMethod.Zstd)]
    [InlineData("00000002.history", "00000002.history", CompressionMethod.None)]
    [InlineData("wal_005/000000010000000000000002.partial.lz4", "wal_005/000000010000000000000002.partial", CompressionMethod.Lz4)]
    public void Names_are_split_into_stem_and_method(string name, string stem, CompressionMethod method)
    {
        Assert.True(CompressionNames.TrySplit(name, out string actualStem, out CompressionMethod actualMethod));
        Assert.Equal((stem, method), (actualStem, actualMethod));
    }

    [Theory]
    [InlineData("")]
    [InlineData(".zst")]
    [InlineData(".")]
    [InlineData("part_001.tar.lzo")]
    public void Names_without_a_stem_and_lzo_are_not_split(string name) => Assert.False(CompressionNames.TrySplit(name, out _, out _));

    [Fact]
    public void An_extension_is_split_off_again()
    {
        foreach (CompressionMethod method in CompressionNames.Readable)
        {
            Assert.True(CompressionNames.TrySplit("a.tar" + CompressionNames.Extension(method), out string stem, out CompressionMethod found));
            Assert.Equal(("a.tar", method), (stem, found));
        }
        Assert.Equal(Enum.GetValues<CompressionMethod>().Order(), CompressionNames.Readable.Order());
        Assert.Subset(CompressionNames.Readable.ToHashSet(), CompressionNames.Writable.ToHashSet());
    }

    [Theory]
    [InlineData("zstd", CompressionMethod.Zstd)]
    [InlineData("lz4", CompressionMethod.Lz4)]
    [InlineData("brotli", CompressionMethod.Brotli)]
    [InlineData("none", CompressionMethod.None)]
    public void Settings_are_parsed(string value, CompressionMethod method) => Assert.Equal(method, CompressionNames.Parse(value));

    [Theory]
    [InlineData("lzma", "CompressionMethodReadOnly")]
    [InlineData("gzip", "CompressionMethodReadOnly")]
    [InlineData("zst", "CompressionMethodUnknown")]
    [InlineData("", "CompressionMethodUnknown")]
    public void Other_settings_are_refused(string value, string id) => CodecSamples.AssertFails(id, () => CompressionNames.Parse(value));
}
