using FsCheck;
using FsCheck.Fluent;
using PgBackup.Storage.S3;

namespace PgBackup.Tests.Storage.S3;

public sealed class PartSizesTests
{
    [Fact]
    public void TenThousandPartsHoldTheLargestObjectWhateverTheFirstPartIs() =>
        Prop.ForAll(Gen.Choose(0, 2_000).ToArbitrary(), mebibytes =>
        {
            long first = (long)mebibytes << 20, total = 0, last = 0;
            for (int number = 1; number <= PartSizes.MaxParts; number++)
            {
                long size = PartSizes.Of(number, first);
                if (size < last || size < PartSizes.MinPartSize || size > PartSizes.MaxPartSize)
                    return false;
                last = size;
                total += size;
            }
            return total >= PartSizes.MaxObjectSize;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void TheFirstThousandPartsAreOfTheSizeAskedFor()
    {
        Assert.Equal(S3Settings.DefaultPartSize, PartSizes.Of(1, S3Settings.DefaultPartSize));
        Assert.Equal(S3Settings.DefaultPartSize, PartSizes.Of(1_000, S3Settings.DefaultPartSize));
        Assert.True(PartSizes.Of(1_001, S3Settings.DefaultPartSize) > S3Settings.DefaultPartSize);
    }
}
