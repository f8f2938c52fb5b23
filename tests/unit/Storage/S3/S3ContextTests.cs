using PgBackup.Errors;
using PgBackup.Storage.S3;

namespace PgBackup.Tests.Storage.S3;

public sealed class S3ContextTests
{
    [Theory]
    [InlineData("", "a/b", "a/b")]
    [InlineData("p", "a/b", "p/a/b")]
    [InlineData("p/q", "a", "p/q/a")]
    public void KeysStandBehindThePrefix(string prefix, string key, string name)
    {
        using S3Context context = Open(prefix);
        Assert.Equal(name, context.NameOf(key));
        Assert.True(context.TryKeyOf(name, out string? back));
        Assert.Equal(key, back);
    }

    [Theory]
    [InlineData("p/")]
    [InlineData("p/a/")]
    [InlineData("p/a//b")]
    [InlineData("p/../b")]
    [InlineData("other/a")]
    [InlineData("pq/a")]
    public void WhatNoKeyCanNameIsNoObject(string name)
    {
        using S3Context context = Open("p");
        Assert.False(context.TryKeyOf(name, out _));
    }

    [Fact]
    public void FoldersStandBehindThePrefix()
    {
        using S3Context context = Open("p");
        Assert.Equal("p/", context.NameOfFolder(""));
        Assert.Equal("p/wal_005/", context.NameOfFolder("wal_005/"));
        Assert.Throws<ArgumentException>(() => context.NameOfFolder("wal_005"));
        Assert.Equal("ObjectKeyInvalid", Assert.Throws<PgBackupException>(() => context.NameOf("a//b")).Id);
    }

    [Fact]
    public void ACustomersKeyDoesNotLeaveTheMachineInTheOpen()
    {
        S3Settings settings = new()
        {
            Bucket = "b", EndpointUrl = new Uri("http://store.example"), ServerSideEncryption = S3ServerSideEncryption.CustomerKey, CustomerKey = new SecretText("k"),
        };
        Assert.Equal("StorageNeedsTls", Assert.Throws<PgBackupException>(() => new S3Context(settings)).Id);
        new S3Context(settings with { EndpointUrl = new Uri("https://store.example") }).Dispose();
    }

    [Fact]
    public void AFileThatHoldsNoAuthorityIsRefused() =>
        Assert.Equal("CaCertificateFileUnusable", Assert.Throws<PgBackupException>(
            () => new S3Context(new S3Settings { Bucket = "b", CaCertificateFile = typeof(S3ContextTests).Assembly.Location })).Id);

    private static S3Context Open(string prefix) => new(new S3Settings { Bucket = "b", Prefix = prefix, EndpointUrl = new Uri("http://localhost:1") });
}
