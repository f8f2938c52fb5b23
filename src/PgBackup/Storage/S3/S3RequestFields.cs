using System.Security.Cryptography;
using Amazon.S3;
using Amazon.S3.Model;

namespace PgBackup.Storage.S3;

/// <summary>What the settings put on requests: encryption by the store, storage class, object lock.</summary>
internal static class S3RequestFields
{
    private const string CustomerAlgorithm = "AES256";

    public static void Apply(this S3Settings settings, PutObjectRequest request)
    {
        request.StorageClass = ClassOf(settings);
        if (KeyOf(settings) is { } key)
        {
            request.ServerSideEncryptionCustomerMethod = ServerSideEncryptionCustomerMethod.AES256;
            request.ServerSideEncryptionCustomerProvidedKey = key;
        }
        else if (MethodOf(settings) is { } method)
        {
            request.ServerSideEncryptionMethod = method;
            request.ServerSideEncryptionKeyManagementServiceKeyId = KmsKeyOf(settings);
        }
        if (UntilOf(settings) is { } until)
        {
            request.ObjectLockMode = ModeOf(settings);
            request.ObjectLockRetainUntilDate = until;
        }
    }

    public static void Apply(this S3Settings settings, InitiateMultipartUploadRequest request)
    {
        request.StorageClass = ClassOf(settings);
        if (KeyOf(settings) is { } key)
        {
            request.ServerSideEncryptionCustomerMethod = ServerSideEncryptionCustomerMethod.AES256;
            request.ServerSideEncryptionCustomerProvidedKey = key;
        }
        else if (MethodOf(settings) is { } method)
        {
            request.ServerSideEncryptionMethod = method;
            request.ServerSideEncryptionKeyManagementServiceKeyId = KmsKeyOf(settings);
        }
        if (UntilOf(settings) is { } until)
        {
            request.ObjectLockMode = ModeOf(settings);
            request.ObjectLockRetainUntilDate = until;
        }
    }

    public static void Apply(this S3Settings settings, CopyObjectRequest request, S3Settings source)
    {
        request.StorageClass = ClassOf(settings);
        if (KeyOf(settings) is { } key)
        {
            request.ServerSideEncryptionCustomerMethod = ServerSideEncryptionCustomerMethod.AES256;
            request.ServerSideEncryptionCustomerProvidedKey = key;
        }
        else if (MethodOf(settings) is { } method)
        {
            request.ServerSideEncryptionMethod = method;
            request.ServerSideEncryptionKeyManagementServiceKeyId = KmsKeyOf(settings);
        }
        if (KeyOf(source) is { } sourceKey)
        {
            request.CopySourceServerSideEncryptionCustomerMethod = ServerSideEncryptionCustomerMethod.AES256;
            request.CopySourceServerSideEncryptionCustomerProvidedKey = sourceKey;
        }
        if (UntilOf(settings) is { } until)
        {
            request.ObjectLockMode = ModeOf(settings);
            request.ObjectLockRetainUntilDate = until;
        }
    }

    public static void Apply(this S3Settings settings, CopyPartRequest request, S3Settings source)
    {
        if (KeyOf(settings) is { } key)
        {
            request.ServerSideEncryptionCustomerMethod = ServerSideEncryptionCustomerMethod.AES256;
            request.ServerSideEncryptionCustomerProvidedKey = key;
        }
        if (KeyOf(source) is { } sourceKey)
        {
            request.CopySourceServerSideEncryptionCustomerMethod = ServerSideEncryptionCustomerMethod.AES256;
            request.CopySourceServerSideEncryptionCustomerProvidedKey = sourceKey;
        }
    }

    public static void Apply(this S3Settings settings, UploadPartRequest request)
    {
        if (KeyOf(settings) is { } key)
        {
            request.ServerSideEncryptionCustomerMethod = ServerSideEncryptionCustomerMethod.AES256;
            request.ServerSideEncryptionCustomerProvidedKey = key;
        }
    }

    public static void Apply(this S3Settings settings, CompleteMultipartUploadRequest request)
    {
        if (KeyOf(settings) is { } key)
        {
            request.SSECustomerAlgorithm = CustomerAlgorithm;
            request.SSECustomerKey = key;
            request.SSECustomerKeyMD5 = Convert.ToBase64String(MD5.HashData(Convert.FromBase64String(key))); // The SDK computes it for the other requests only.
        }
    }

    public static void Apply(this S3Settings settings, GetObjectRequest request)
    {
        if (KeyOf(settings) is { } key)
        {
            request.ServerSideEncryptionCustomerMethod = ServerSideEncryptionCustomerMethod.AES256;
            request.ServerSideEncryptionCustomerProvidedKey = key;
        }
    }

    public static void Apply(this S3Settings settings, GetObjectMetadataRequest request)
    {
        if (KeyOf(settings) is { } key)
        {
            request.ServerSideEncryptionCustomerMethod = ServerSideEncryptionCustomerMethod.AES256;
            request.ServerSideEncryptionCustomerProvidedKey = key;
        }
    }

    private static string? KeyOf(S3Settings settings) =>
        settings.ServerSideEncryption == S3ServerSideEncryption.CustomerKey ? settings.CustomerKey?.Reveal() : null;

    private static string? KmsKeyOf(S3Settings settings) => settings.ServerSideEncryption == S3ServerSideEncryption.Kms ? settings.KmsKeyId : null;

    private static ServerSideEncryptionMethod? MethodOf(S3Settings settings) => settings.ServerSideEncryption switch
    {
        S3ServerSideEncryption.Aes256 => ServerSideEncryptionMethod.AES256,
        S3ServerSideEncryption.Kms => ServerSideEncryptionMethod.AWSKMS,
        _ => null,
    };

    private static S3StorageClass? ClassOf(S3Settings settings) => settings.StorageClass is { } name ? new S3StorageClass(name) : null;

    private static DateTime? UntilOf(S3Settings settings) => settings.RetentionPeriod is { } period ? DateTime.UtcNow + period : null;

    private static ObjectLockMode ModeOf(S3Settings settings) =>
        settings.RetentionMode == S3RetentionMode.Compliance ? ObjectLockMode.Compliance : ObjectLockMode.Governance;
}
