using System.Security.Cryptography;
using Amazon.S3.Model;
using PgBackup.Storage.S3;

namespace PgBackup.Tests.Storage.S3;

public sealed class S3ConfirmationTests
{
    private const string Md5 = "900150983cd24fb0d6963f7d28e17f72"; // RFC 1321, appendix A.5: "abc".
    private static readonly ExpectedObject s_expected = new(3, Md5, "NSRBwg==", "token", DateTimeOffset.UnixEpoch);

    [Theory]
    [InlineData(Md5, true)]
    [InlineData(Md5 + "-12", true)]
    [InlineData(Md5 + "-", false)]
    [InlineData(Md5 + "1", false)]
    [InlineData("900150983cd24fb0d6963f7d28e17f7z", false)]
    [InlineData("", false)]
    public void AnETagOfMd5IsKnown(string etag, bool isOfMd5) => Assert.Equal(isOfMd5, S3Confirmation.IsOfMd5(etag));

    [Fact]
    public void TheETagOfPartsIsTheDigestOfTheirDigests()
    {
        byte[] a = MD5.HashData("a"u8), b = MD5.HashData("b"u8);
        UploadedPart[] parts = [new(1, 1, a, [1, 2, 3, 4], ""), new(2, 1, b, [5, 6, 7, 8], "")];
        Assert.Equal(Convert.ToHexStringLower(MD5.HashData([.. a, .. b])) + "-2", S3Confirmation.ETagOf(parts));
        Assert.EndsWith("=-2", S3Confirmation.ChecksumOf(parts));
    }

    [Fact]
    public void WhatDiffersIsSaid()
    {
        Assert.Null(S3Confirmation.Difference(Found(3, Md5, "NSRBwg=="), s_expected, "b"));
        Assert.Null(S3Confirmation.Difference(Found(3, Md5, null), s_expected, "b"));
        Assert.Null(S3Confirmation.Difference(Found(3, "opaque", null), s_expected, "b"));
        Assert.Contains("4 bytes", S3Confirmation.Difference(Found(4, Md5, null), s_expected, "b"));
        Assert.Contains("ETag", S3Confirmation.Difference(Found(3, Md5.Replace('9', '8'), null), s_expected, "b"));
        Assert.Contains("CRC-32", S3Confirmation.Difference(Found(3, Md5, "AAAAAA=="), s_expected, "b"));
        Assert.Null(S3Confirmation.Difference(Found(3, Md5, "AAAAAA==-2"), s_expected, "b")); // Of parts: not comparable.
    }

    [Fact]
    public void AnEncryptingStoresETagProvesNothing()
    {
        GetObjectMetadataResponse found = Found(3, Md5.Replace('9', '8'), null);
        found.ServerSideEncryptionMethod = Amazon.S3.ServerSideEncryptionMethod.AWSKMS;
        Assert.Null(S3Confirmation.Difference(found, s_expected, "b"));
    }

    [Theory]
    [InlineData("a%20b%2Bc%25", "a b+c%")]
    [InlineData("a+b", "a b")]
    [InlineData("%C3%A4/x", "ä/x")]
    public void NamesOfListingsAreDecoded(string encoded, string name)
    {
        Assert.Equal(name, S3Listing.Decode(encoded, Amazon.S3.EncodingType.Url));
        Assert.Equal(encoded, S3Listing.Decode(encoded, null));
    }

    private static GetObjectMetadataResponse Found(long size, string etag, string? crc) => new() { ContentLength = size, ETag = $"\"{etag}\"", ChecksumCRC32 = crc };
}
