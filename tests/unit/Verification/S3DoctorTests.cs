using System.Globalization;
using System.Net;
using Amazon.S3;
using Amazon.S3.Model;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Storage.S3;
using PgBackup.TestServers;
using PgBackup.TestServers.Proxy;
using PgBackup.Tests.Kit.Stores;
using PgBackup.Tests.Restore;
using PgBackup.Verification.Doctor;
using PgBackup.Verification.Survey;
using S3Operation = PgBackup.TestServers.Proxy.S3Operation;

namespace PgBackup.Tests.Verification;

/// <summary>The doctor over real stores: in order, without a right, behind a wrong clock, and not there at all.</summary>
public sealed class S3DoctorTests
{
    [Theory]
    [InlineData("ceph-current")]
    [InlineData("ceph-16")]
    public async Task AStoreInOrderPassesEveryCheckAndIsLeftEmpty(string kind)
    {
        StoreServer server = await TestStores.StartedAsync(kind);
        S3Settings settings = await server.NewBucketAsync("clusters/db1");
        await using var proxy = FaultProxy.Start(server.Endpoint);

        IReadOnlyList<RepositoryCheck> checks = await Patient.ExamineAsync(Patient.Settings(settings with { EndpointUrl = proxy.Endpoint }));

        Assert.Equal(Enum.GetValues<RepositoryCheckName>(), checks.Select(c => c.Name));
        Assert.All(checks, c => Assert.True(c.Status == CheckStatus.Passed || c is { Name: RepositoryCheckName.FreeSpace, Status: CheckStatus.Skipped }, $"{c}: {c.Message}"));
        Assert.Contains($"{proxy.Endpoint.GetLeftPart(UriPartial.Authority)} answers, region us-east-1", MessageOf(checks, RepositoryCheckName.Connection), StringComparison.Ordinal);
        Assert.True(proxy.Count(S3Operation.UploadPart) >= 3, "The object of several parts was not sent in parts.");
        await AssertEmptyAsync(server, settings.Bucket);
    }

    [Fact]
    public async Task WithoutTheRightToDeleteLittleIsLeftAndNamed()
    {
        StoreServer server = await TestStores.CephAsync();
        S3Settings settings = await server.NewBucketAsync("db1");
        await DenyAsync(server, settings.Bucket, "s3:DeleteObject");

        IReadOnlyList<RepositoryCheck> checks = await Patient.ExamineAsync(Patient.Settings(settings));

        Assert.Equal([RepositoryCheckName.Delete, RepositoryCheckName.DeleteMany], checks.Where(c => c.Status == CheckStatus.Failed).Select(c => c.Name));
        Assert.Equal(
            [RepositoryCheckName.Multipart, RepositoryCheckName.Throughput, RepositoryCheckName.FreeSpace],
            checks.Where(c => c.Status == CheckStatus.Skipped).Select(c => c.Name));
        List<S3Object> left = await ObjectsAsync(server, settings.Bucket);
        Assert.All(left, o => Assert.StartsWith("db1/pgbackup_v1/probes/", o.Key, StringComparison.Ordinal));
        Assert.InRange(left.Sum(o => o.Size ?? 0), 1, 1 << 20);
        RepositoryCheck delete = checks.Single(c => c.Name == RepositoryCheckName.Delete);
        Assert.Contains("pgbackup_v1/probes/", delete.Message, StringComparison.Ordinal);
        Assert.Contains("s3:DeleteObject", delete.Recommendation, StringComparison.Ordinal);
        Assert.Contains("younger", MessageOf(await Patient.ExamineAsync(Patient.Settings(settings)), RepositoryCheckName.LeftProbes), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("s3:PutObject", RepositoryCheckName.Put, RepositoryCheckName.ConditionalPut, RepositoryCheckName.Copy, RepositoryCheckName.Delete, RepositoryCheckName.DeleteMany, RepositoryCheckName.Multipart, RepositoryCheckName.Throughput)]
    [InlineData("s3:ListBucket", RepositoryCheckName.List)]
    [InlineData("s3:GetObject", RepositoryCheckName.Get)]
    public async Task AMissingRightIsTheFailureOfItsChecks(string action, params RepositoryCheckName[] expected)
    {
        StoreServer server = await TestStores.CephAsync();
        S3Settings settings = await server.NewBucketAsync();
        await ObjectStores.Open(settings).PutAsync("pgbackup_v1/lineages/kept.txt", new byte[100]);
        await DenyAsync(server, settings.Bucket, action);

        IReadOnlyList<RepositoryCheck> checks = await Patient.ExamineAsync(Patient.Settings(settings));

        Assert.Equal(CheckStatus.Passed, checks.Single(c => c.Name == RepositoryCheckName.Credentials).Status);
        foreach (RepositoryCheckName name in expected)
        {
            RepositoryCheck check = checks.Single(c => c.Name == name);
            Assert.Equal(CheckStatus.Failed, check.Status);
            Assert.Contains($"The store refuses {action}", check.Message, StringComparison.Ordinal);
            Assert.Contains("policy", check.Recommendation, StringComparison.Ordinal);
        }
        Assert.DoesNotContain(await ObjectsAsync(server, settings.Bucket), o => o.Key.StartsWith(ProbeFolder.Root, StringComparison.Ordinal));
    }

    [Fact]
    public async Task VersioningAndLockAreToldWithWhatTheyMean()
    {
        StoreServer server = await TestStores.CephAsync();
        S3Settings versioned = server.Settings(await server.CreateBucketAsync(versioning: true)), locked = server.Settings(await server.CreateBucketAsync(objectLock: true));
        using AmazonS3Client client = server.Client();
        await client.PutObjectLockConfigurationAsync(new PutObjectLockConfigurationRequest
        {
            BucketName = locked.Bucket,
            ObjectLockConfiguration = new ObjectLockConfiguration
            {
                ObjectLockEnabled = ObjectLockEnabled.Enabled,
                Rule = new ObjectLockRule { DefaultRetention = new DefaultRetention { Mode = ObjectLockRetentionMode.Governance, Days = 3 } },
            },
        });

        IReadOnlyList<RepositoryCheck> one = await Patient.ExamineAsync(Patient.Settings(versioned)), other = await Patient.ExamineAsync(Patient.Settings(locked));

        Assert.DoesNotContain(one.Concat(other), c => c.Status == CheckStatus.Failed);
        Assert.StartsWith("On: what is deleted stays", MessageOf(one, RepositoryCheckName.Versioning), StringComparison.Ordinal);
        Assert.StartsWith("Off", MessageOf(one, RepositoryCheckName.ObjectLock), StringComparison.Ordinal);
        Assert.StartsWith("On: for 3 days", MessageOf(other, RepositoryCheckName.ObjectLock), StringComparison.Ordinal);
        Assert.Empty(await ObjectsAsync(server, versioned.Bucket));
        Assert.Empty(await ObjectsAsync(server, locked.Bucket));
        await client.PutBucketVersioningAsync(new PutBucketVersioningRequest { BucketName = versioned.Bucket, VersioningConfig = new S3BucketVersioningConfig { Status = VersionStatus.Suspended } });
        Assert.Equal(CheckStatus.Warning, (await Patient.ExamineAsync(Patient.Settings(versioned), RepositoryCheckName.Versioning)).Status);
    }

    [Fact]
    public async Task WhatKeepsEverythingElseFromWorkingIsTheOnlyFailure()
    {
        StoreServer server = await TestStores.CephAsync();
        S3Settings good = await server.NewBucketAsync();
        await using var proxy = FaultProxy.Start(server.Endpoint);
        S3Settings through = good with { EndpointUrl = proxy.Endpoint };

        Assert.Equal((RepositoryCheckName.Credentials, "access key"), await OnlyAsync(good with { Credential = new S3Credential("nobody", new SecretText("x")) }, "access key"));
        Assert.Equal((RepositoryCheckName.Credentials, "secret"), await OnlyAsync(good with { Credential = new S3Credential("test", new SecretText("x")) }, "secret"));
        Assert.Equal((RepositoryCheckName.Credentials, "'no-such'"), await OnlyAsync(good with { Credential = null, ProfileName = "no-such" }, "'no-such'"));
        Assert.Equal((RepositoryCheckName.Connection, "does not exist"), await OnlyAsync(good with { Bucket = "no-such-bucket" }, "does not exist"));
        Assert.Equal((RepositoryCheckName.Connection, "certificate"), await OnlyAsync(good with { EndpointUrl = server.TlsEndpoint }, "certificate"));
        Assert.Equal((RepositoryCheckName.Connection, "cannot be reached"), await OnlyAsync(good with { EndpointUrl = new Uri("http://store.invalid") }, "cannot be reached"));

        proxy.Add(_ => true, Fault.ExpiredToken);
        Assert.Equal((RepositoryCheckName.Credentials, "expired"), await OnlyAsync(through, "expired"));
        proxy.Clear();
        string past = DateTime.UtcNow.AddMinutes(-40).ToString("R", CultureInfo.InvariantCulture);
        proxy.Add(_ => true, new Fault.Answer(HttpStatusCode.Forbidden, "RequestTimeTooSkewed") { Headers = new Dictionary<string, string> { ["Date"] = past } });
        Assert.Equal((RepositoryCheckName.Clock, "clock"), await OnlyAsync(through, "clock"));
        await proxy.RefuseAsync();
        Assert.Equal((RepositoryCheckName.Connection, "cannot be reached"), await OnlyAsync(through, "cannot be reached"));
    }

    [Fact]
    public async Task StoppedInTheMiddleItLeavesNeitherProbesNorUploads()
    {
        StoreServer server = await TestStores.CephAsync();
        S3Settings settings = await server.NewBucketAsync();
        await using var proxy = FaultProxy.Start(server.Endpoint);
        using var stop = new CancellationTokenSource();
        proxy.Add(
            r =>
            {
                if (r.Operation != S3Operation.UploadPart)
                    return false;
                stop.Cancel();
                return false;
            },
            new Fault.LoseAnswer());
        var doctor = new RepositoryDoctor(Patient.Settings(settings with { EndpointUrl = proxy.Endpoint }));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (RepositoryCheck check in doctor.RunAsync(stop.Token))
                Assert.NotEqual(CheckStatus.Failed, check.Status);
        });

        await AssertEmptyAsync(server, settings.Bucket);
    }

    [Fact]
    public async Task ProbesThatCannotBeRemovedAfterAStopAreAnError()
    {
        StoreServer server = await TestStores.CephAsync();
        S3Settings settings = await server.NewBucketAsync();
        await DenyAsync(server, settings.Bucket, "s3:DeleteObject");
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(async () =>
        {
            await foreach (RepositoryCheck check in new RepositoryDoctor(Patient.Settings(settings)).RunAsync())
            {
                if (check.Name == RepositoryCheckName.Put)
                    break;
            }
        });
        Assert.Equal("ProbesLeft", error.Id);
        Assert.Contains("/put'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ARepositoryInABucketIsSummedUpAsTheSameInAFolder()
    {
        StoreServer server = await TestStores.CephAsync();
        S3Settings settings = await server.NewBucketAsync("walg");
        WalgFixture fixture = WalgFixture.Named("lz4");
        IObjectStore store = ObjectStores.Open(settings);
        var folder = new DirectoryStore(fixture.RepositoryPath);
        await foreach (StoredObject item in folder.ListAsync("", recursive: true))
            await store.PutAsync(item.Key, await folder.OpenReadAsync(item.Key));
        using AmazonS3Client client = server.Client();
        await client.InitiateMultipartUploadAsync(new InitiateMultipartUploadRequest { BucketName = settings.Bucket, Key = "walg/wal_005/000000010000000000000008.lz4" });

        RepositorySummary summary = await RepositorySurvey.RunAsync(new BackupRepository(store, null)), other = await RepositorySurvey.RunAsync(fixture.Open());
        RepositoryCheck uploads = await Patient.ExamineAsync(Patient.Settings(settings), RepositoryCheckName.UnfinishedUploads);

        Assert.Equal(("S3", 1L), (summary.Kind, summary.UnfinishedUploadCount));
        Assert.Equal((other.ObjectCount, other.Size, other.WalSize, other.FullBackupSize), (summary.ObjectCount, summary.Size, summary.WalSize, summary.FullBackupSize));
        Assert.Equal(other.Timelines, summary.Timelines);
        Assert.Equal(other.Lineages, summary.Lineages);
        Assert.Equal(CheckStatus.Passed, uploads.Status); // Younger than a day.
        Assert.Contains("1 object is in flight; the oldest, 'wal_005/000000010000000000000008.lz4'", uploads.Message, StringComparison.Ordinal);
    }

    private static string MessageOf(IReadOnlyList<RepositoryCheck> checks, RepositoryCheckName name) => checks.Single(c => c.Name == name).Message;

    /// <summary>The one check that failed, when nothing was tried after it; and the word, when the message holds it.</summary>
    private static async Task<(RepositoryCheckName, string)> OnlyAsync(S3Settings settings, string word)
    {
        IReadOnlyList<RepositoryCheck> checks = await Patient.ExamineAsync(Patient.Settings(settings));
        RepositoryCheck failed = checks[^1];
        Assert.Single(checks, c => c.Status == CheckStatus.Failed);
        Assert.NotEmpty(failed.Recommendation!);
        return (failed.Name, failed.Message.Contains(word, StringComparison.Ordinal) ? word : failed.Message);
    }

    private static async Task DenyAsync(StoreServer server, string bucket, string action)
    {
        using AmazonS3Client client = server.Client();
        await client.PutBucketPolicyAsync(new PutBucketPolicyRequest
        {
            BucketName = bucket,
            Policy = $$"""
                {"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"{{action}}","Resource":["arn:aws:s3:::{{bucket}}","arn:aws:s3:::{{bucket}}/*"]}]}
                """,
        });
    }

    private static async Task<List<S3Object>> ObjectsAsync(StoreServer server, string bucket)
    {
        using AmazonS3Client client = server.Client();
        await client.DeleteBucketPolicyAsync(bucket);
        return (await client.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket })).S3Objects ?? [];
    }

    private static async Task AssertEmptyAsync(StoreServer server, string bucket)
    {
        Assert.Empty(await ObjectsAsync(server, bucket));
        using AmazonS3Client client = server.Client();
        Assert.Empty((await client.ListMultipartUploadsAsync(new ListMultipartUploadsRequest { BucketName = bucket })).MultipartUploads ?? []);
    }
}
